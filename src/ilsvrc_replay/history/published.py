"""The published figures of published.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from ruamel.yaml import YAML

PATH = Path(__file__).with_name("published.yaml")
Percent = Annotated[float, Field(gt=0, lt=100)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Headline(Strict):
    """The famous number: an ensemble's, on the hidden test set. `of` says whose."""

    top5_err: Percent
    of: str
    table: str


class Single(Strict):
    """The paper's own number for one net, on the validation set, by `protocol`."""

    top5_err: Percent
    protocol: str
    table: str


class Published(Strict):
    year: int
    paper: str
    headline: Headline | None = None
    single: Single | None = None


@cache
def published() -> dict[str, Published]:
    """Every published record, by the name of the architecture."""
    content = YAML(typ="safe", pure=True).load(PATH.read_text())
    return TypeAdapter(dict[str, Published]).validate_python(content)
