"""Send shapes, not images, through a net: what it would do, without memory or time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


def trace(net: nn.Module, image_size: int, channels: int, images: int = 2) -> None:
    """Send the shape of `images` square images through `net`, which usually lies on the meta device."""
    device = next(net.parameters()).device
    with torch.no_grad(), norms_passed_by(net):
        net(torch.empty(images, channels, image_size, image_size, device=device))


@contextmanager
def norms_passed_by(net: nn.Module) -> Iterator[None]:
    """Take batch normalisations for the identity, which for shapes they are: without memory they alone are slow, and
    the first one loads torch's compiler, two seconds."""
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.forward = lambda x: x
    try:
        yield
    finally:
        for layer in norms:
            del layer.forward


@contextmanager
def hooked(net: nn.Module, kinds: type | tuple[type, ...], register: Callable) -> Iterator[None]:
    """Keep the hooks that `register` puts on every layer of these kinds, while the block lasts."""
    handles = [register(layer) for layer in net.modules() if isinstance(layer, kinds)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
