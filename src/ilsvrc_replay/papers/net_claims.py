"""Claims that a net decides as it is built, or arithmetic: net_claims.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from ilsvrc_replay.papers.yaml_files import FrozenModel, read_yaml

PATH = Path(__file__).with_name("net_claims.yaml")


class NetClaim(FrozenModel):
    """A statement about the history, where the right figure stands, and what is right where it is not plainly true.

    `transcribed`: its measure reads what the project wrote down from the paper, not what a built net confirms.
    """

    claim: str
    source: str
    caveat: str = ""
    transcribed: bool = False


@cache
def net_claims() -> dict[str, NetClaim]:
    """Every claim by its id, in order of net_claims.yaml."""
    return TypeAdapter(dict[str, NetClaim]).validate_python(read_yaml(PATH))
