"""The errors of the weights that torchvision keeps today: maintained.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from ilsvrc_replay.papers.yaml_files import FrozenModel, Percent, read_yaml

PATH = Path(__file__).with_name("maintained.yaml")


class Maintained(FrozenModel):
    """Errors in % of one net with one crop, on ImageNet's validation set, as torchvision states them for `weights`."""

    weights: str
    top1_err: Percent
    top5_err: Percent


@cache
def maintained() -> dict[str, Maintained]:
    """By the name of the architecture; nets that torchvision has no weights for are left out."""
    return TypeAdapter(dict[str, Maintained]).validate_python(read_yaml(PATH))
