"""What the modules that read these YAML files share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

Percent = Annotated[float, Field(gt=0, lt=100)]


class FrozenModel(BaseModel):
    """Accepts no unknown keys; does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_yaml(path: Path) -> Any:
    """The file as plain lists and dictionaries."""
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
