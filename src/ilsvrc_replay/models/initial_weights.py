"""Memory and initial weights for a net that was built on the meta device."""

from __future__ import annotations

import torch
from torch import nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import init_glorot, init_he, init_orthogonal, weighted_layers

RULES = {"he": init_he, "glorot": init_glorot, "orthogonal": init_orthogonal}


def materialise(
    net: nn.Module,
    architecture: Architecture,
    init: str,
    seed: int,
    zero_residuals: bool = False,
    norm_bias: float = 0.0,
    gain: float = 1.0,
) -> nn.Module:
    """Give `net` memory on the CPU and initial weights: as its "paper" or library says, by one of RULES; times `gain`,
    which fits them to the scale of the images (input_scale.initial_gain).

    `zero_residuals` makes every residual block start as the identity (Goyal et al. 2017, "Accurate, large minibatch
    SGD", section 5.1). Batch normalisations outside residual blocks start with the bias `norm_bias`: with 1 the ReLU
    after them is nearly linear at first, and deep nets without shortcuts learn much sooner (Yang et al. 2019, "A mean
    field theory of batch normalization": what explodes with depth explodes less, the more linear the activation).
    """
    torch.manual_seed(seed)
    net.to_empty(device="cpu")
    for layer in net.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    if architecture.initialise is None:
        init_like_new(net, architecture.construct())
    rule = RULES.get(init, architecture.initialise)
    if rule is not None:
        rule(net, gain)
    elif gain != 1.0:
        weaken(net, gain)
    blocks = [block for block in net.modules() if is_residual(block)]
    inside = {layer for block in blocks for layer in block.modules()}
    for layer in net.modules():
        if norm_bias and isinstance(layer, nn.BatchNorm2d) and layer not in inside:
            nn.init.constant_(layer.bias, norm_bias)
    for block in blocks if zero_residuals else ():
        block.zero_init_last()
    return net


def is_residual(block: nn.Module) -> bool:
    """Whether `block` adds its input to what it computes; plain blocks of the ResNet family do not."""
    return hasattr(block, "zero_init_last") and getattr(block, "shortcut", ...) is not None


@torch.no_grad()
def init_like_new(net: nn.Module, constructed: nn.Module) -> None:
    """Start `net` as its library's constructor does; layers that the data or the width resized keep PyTorch's start."""
    for kind in ("named_parameters", "named_buffers"):  # also those buffers that no state_dict holds
        drawn = dict(getattr(constructed, kind)())
        for name, tensor in getattr(net, kind)():
            if drawn[name].shape == tensor.shape:
                tensor.copy_(drawn[name])


@torch.no_grad()
def weaken(net: nn.Module, gain: float) -> None:
    """Multiply the weights of `net` by `gain`, as the rules do theirs."""
    for _, layer in weighted_layers(net):
        layer.weight.mul_(gain)


def set_dropout(net: nn.Module, rate: float | None) -> None:
    """Set every dropout layer of `net` to `rate`; None leaves them as published."""
    for layer in net.modules():
        if rate is not None and isinstance(layer, nn.Dropout):
            layer.p = rate
