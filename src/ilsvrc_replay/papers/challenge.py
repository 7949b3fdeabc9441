"""The challenge's winners from 2010 to 2016, and a person's error: challenge.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ilsvrc_replay.papers.yaml_files import FrozenModel, Percent, read_yaml

PATH = Path(__file__).with_name("challenge.yaml")


class Winner(FrozenModel):
    """A year's lowest top-5 error in % on the hidden test set, nearly always an ensemble's; `of` says what it was."""

    year: int
    name: str
    top5_err: Percent
    of: str
    table: str


class Human(FrozenModel):
    """A person's top-5 error in %; `of` says who, and on which images."""

    top5_err: Percent
    of: str
    table: str


class Challenge(FrozenModel):
    """The winners, in order of year, and what a person reaches."""

    winners: tuple[Winner, ...]
    human: Human


@cache
def challenge() -> Challenge:
    """The content of challenge.yaml. Raises pydantic's ValidationError if a figure is missing or no percentage."""
    return Challenge.model_validate(read_yaml(PATH))
