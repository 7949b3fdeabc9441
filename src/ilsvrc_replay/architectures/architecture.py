"""What the study knows of one published net: who wrote it, when, and how to construct it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Architecture:
    """A published net.

    `construct` makes it exactly as published, for `channels` input channels and `classes` classes, with its
    parameters wherever the default device is; `initialise` then fills them in place as the paper says.
    """

    name: str
    year: int
    paper: str
    construct: Callable[[], nn.Module]
    initialise: Callable[[nn.Module], None]
    input_size: int = 224  # pixels, side of the square training crop
    channels: int = 3
    classes: int = 1000
