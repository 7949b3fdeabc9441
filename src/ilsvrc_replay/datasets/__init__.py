"""The data sets, one a file: where its original files come from (`acquire`), and what they hold (`read`).

To add a data set, add a file; params.yaml names it, with "-" for "_".
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from ilsvrc_replay.files import path_of

if TYPE_CHECKING:
    from ilsvrc_replay.originals.labelled_images import LabelledArrays, LabelledFiles

HERE = Path(__file__).parent
LONGEST = 255  # bytes in a name, on all common file systems


def names() -> list[str]:
    """All data sets, as params.yaml names them."""
    return sorted(path.stem.replace("_", "-") for path in HERE.glob("[a-z]*.py"))


def check_path(name: str) -> str:
    """Raises ValueError if no file or folder can have this name."""
    if "\0" in name:
        raise ValueError("no file has a name with a NUL")
    try:
        path_of(name).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no user {name.partition('/')[0]}") from None
    if max(map(len, os.fsencode(path_of(name)).split(b"/"))) > LONGEST:
        raise ValueError(f"no file has a name of over {LONGEST} letters")
    return name


UserPath = Annotated[str, AfterValidator(check_path)]


class Dataset(BaseModel):
    """The key `dataset` of params.yaml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str = Field(description="which data set: a file of src/ilsvrc_replay/datasets")
    image_size: int = Field(32, ge=28, le=512, description="side of the images that nets see, in px")
    stored_size: int | None = Field(None, le=640, description="side of the packed images in px; null: image_size")
    storage: Literal["auto", "array", "jpeg"] = Field(
        "auto", description="how image files are packed; auto: as arrays up to 16 GB, above as JPEGs"
    )
    val_images: int = Field(5000, ge=1, description="training images held out as val")
    folder: UserPath | None = Field(None, description="the folder that has the original files; null: fetch them")

    @field_validator("name")
    @classmethod
    def is_known(cls, name: str) -> str:
        if name not in names():
            raise ValueError(f"there is no data set {name!r}; there are {', '.join(names())}")
        return name

    @model_validator(mode="after")
    def stored_is_larger(self) -> Dataset:
        if self.stored_size is not None and self.stored_size <= self.image_size:
            raise ValueError(
                f"dataset.stored_size is {self.stored_size}: it is larger than image_size, {self.image_size}, or null"
            )
        return self

    @property
    def place(self) -> Path | None:
        """The user's folder, if one is named."""
        return path_of(self.folder).expanduser() if self.folder else None

    @property
    def module(self) -> ModuleType:
        """The file of this data set."""
        return importlib.import_module(f"{__name__}.{file_name(self.name)}")

    def acquire(self, target: Path) -> str:
        """Put the original files, or a list of those in the user's folder, into the empty folder `target`; returns the
        source's name. Raises StudyError if they are nowhere, or damaged."""
        return self.module.acquire(target, self.place)

    def read(self, raw: Path) -> LabelledArrays | LabelledFiles:
        """The originals, from `raw` and, where large files stay where they are, from the user's folder."""
        return self.module.read(raw, self.place)


def file_name(name: str) -> str:
    """The module of a data set."""
    return name.replace("-", "_")
