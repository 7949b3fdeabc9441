"""What reading a data set gives: its original images with their labels, as arrays or as image files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals.archives import Files


@dataclass(frozen=True)
class LabelledArrays:
    """A data set that is published as arrays: images uint8 (N, C, H, W), labels int64 (N,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]

    def check(self, name: str) -> None:
        """Raises StudyError, naming the data set and its part, if images and labels do not fit one another."""
        for part in ("train", "test"):
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            if not len(images) or len(images) != len(labels):
                raise StudyError(f"{name}: {len(images):,} {part} images, but {len(labels):,} labels")
            if images.ndim != 4 or images.dtype != np.uint8 or images.shape[2] != images.shape[3]:
                raise StudyError(
                    f"{name}: {part} images are {images.dtype} {images.shape[1:]}, not square and of bytes"
                )
            wrong = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
            if len(wrong):
                raise StudyError(
                    f"{name}: {part} image {wrong[0]:,} has the label {labels[wrong[0]]}, but there are"
                    f" {len(self.classes)} classes"
                )


class ImageFile(NamedTuple):
    """The name of an image file in `LabelledFiles.files`, and the number of its class."""

    name: str
    label: int


@dataclass(frozen=True)
class LabelledFiles:
    """A data set of image files, of any size and mode. `train` is empty where there are only images to test on;
    `ignored` counts, by reason, the files that take no part.
    """

    files: Files
    train: list[ImageFile]
    test: list[ImageFile]
    classes: tuple[str, ...]
    ignored: dict[str, int] = field(default_factory=dict)
