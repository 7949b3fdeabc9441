"""The challenge's famous line, of line.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from ilsvrc_replay.papers.published import Percent
from ilsvrc_replay.run import Strict

PATH = Path(__file__).with_name("line.yaml")


class Winner(Strict):
    """A year's best top-5 error in % on the hidden test set: nearly always of several nets. `of` says of what."""

    year: int
    name: str
    top5_err: Percent
    of: str
    table: str


class Human(Strict):
    top5_err: Percent
    of: str
    table: str


class Line(Strict):
    line: list[Winner]
    human: Human


@cache
def line() -> Line:
    """The winners, the earliest first, and what a person reaches."""
    return Line.model_validate(YAML(typ="safe", pure=True).load(PATH.read_text()))
