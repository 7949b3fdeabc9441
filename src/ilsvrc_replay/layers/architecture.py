"""What the study must know of one net to construct it; what was published about it stands in papers/published.yaml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn


class Normalisation(NamedTuple):
    """Mean and standard deviation by channel, on the [0, 1] scale, that images are standardised with."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Architecture:
    """A net as published.

    `construct` makes it for square images of `input_size` px with `channels`, and for `classes`, with its parameters
    wherever the default device is. `initialise` then fills them in place as the paper says, its rule's weights times
    the gain that fits them to the scale of the images; None leaves to each layer what the library that ships the net
    starts it with.
    """

    construct: Callable[[], nn.Module]
    initialise: Callable[[nn.Module, float], None] | None = None
    input_size: int = 224
    channels: int = 3
    classes: int = 1000
    normalisation: Normalisation | None = None  # None: the data set's own
