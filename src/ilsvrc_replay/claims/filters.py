"""Weights and windows of stacked convolutions, for claims that are arithmetic alone."""

from __future__ import annotations

import torch
from torch import nn

Kernel = int | tuple[int, int]  # a square's side in px, or height and width


def weights(*kernels: Kernel, channels: int = 1) -> int:
    """Weights of convolutions one after the other that keep their `channels`, biases left out."""
    with torch.device("meta"):
        return sum(nn.Conv2d(channels, channels, kernel, bias=False).weight.numel() for kernel in kernels)


def window(*kernels: Kernel) -> tuple[int, int]:
    """Height and width in px of what one output of convolutions at stride 1 sees, one after the other."""
    sides = [(kernel, kernel) if isinstance(kernel, int) else kernel for kernel in kernels]
    return 1 + sum(height - 1 for height, _ in sides), 1 + sum(width - 1 for _, width in sides)
