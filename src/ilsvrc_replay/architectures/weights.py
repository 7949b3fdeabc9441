"""Memory and initial weights for a net that was built on the meta device."""

from __future__ import annotations

import torch
from torch import nn

from ilsvrc_replay.architectures.architecture import Architecture
from ilsvrc_replay.architectures.layers import init_glorot, init_he


def materialise(
    net: nn.Module, architecture: Architecture, init: str, seed: int, zero_residuals: bool = False
) -> nn.Module:
    """Give `net` memory on the CPU and initial weights: as its "paper" says, by "he" or by "glorot".

    `zero_residuals` makes every residual block start as the identity (Goyal et al. 2017, "Accurate, large minibatch
    SGD", section 5.1).
    """
    torch.manual_seed(seed)
    net.to_empty(device="cpu")
    for layer in net.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    {"paper": architecture.initialise, "he": init_he, "glorot": init_glorot}[init](net)
    for block in net.modules():
        if zero_residuals and hasattr(block, "zero_init_last"):
            block.zero_init_last()
    return net


def set_dropout(net: nn.Module, rate: float | None) -> None:
    """Set every dropout layer of `net` to `rate`; None leaves them as published."""
    for layer in net.modules():
        if rate is not None and isinstance(layer, nn.Dropout):
            layer.p = rate
