"""The claims of statements.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter
from ruamel.yaml import YAML

PATH = Path(__file__).with_name("statements.yaml")


class Claim(BaseModel):
    """A statement about the history, where the right figure stands, and what is right where it is not plainly true.

    `transcribed`: its measure reads what the project wrote down from the paper, not what a built net confirms.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    source: str
    caveat: str = ""
    transcribed: bool = False


@cache
def claims() -> dict[str, Claim]:
    """Every claim by its id, in order of statements.yaml."""
    content = YAML(typ="safe", pure=True).load(PATH.read_text())
    return TypeAdapter(dict[str, Claim]).validate_python(content)
