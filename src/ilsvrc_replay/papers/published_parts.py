"""How much of a famous number is its net, how much the crops, how much the ensemble: published_parts.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from ilsvrc_replay.papers.yaml_files import FrozenModel, Percent, read_yaml

PATH = Path(__file__).with_name("published_parts.yaml")
PARTS = ("net", "crops", "ensemble")


class Part(FrozenModel):
    """A top-5 error in % on ImageNet: of one net with one crop, with the best of its crops, or of an ensemble."""

    part: Literal[PARTS]
    top5_err: Percent
    of: str
    table: str


@cache
def published_parts() -> dict[str, tuple[Part, ...]]:
    """The published errors by architecture, from one net with one crop on."""
    return TypeAdapter(dict[str, tuple[Part, ...]]).validate_python(read_yaml(PATH))
