"""`slim`: every channel count of a net times one factor. Topology and depth stay as published.

Works in place on nets of convolutions, batch normalisation and fully connected layers, of this package or of a
library. Nets are built on the meta device first, so that a slim VGG never allocates the full one.
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from math import gcd
from typing import NamedTuple

import torch
from torch import nn

from ilsvrc_replay.errors import StudyError


class Ends(NamedTuple):
    """The layers of a net whose size the data decide: its first convolutions and its classifiers."""

    first: list[nn.Conv2d]
    heads: list[nn.Linear | nn.Conv2d]


def find_ends(net: nn.Module, channels: int = 3, classes: int = 1000) -> Ends:
    """The ends of a net as published, for images of `channels` and `classes`; no hidden layer has either count."""
    layers = list(net.modules())
    return Ends(
        first=[layer for layer in layers if isinstance(layer, nn.Conv2d) and layer.in_channels == channels],
        heads=[
            layer
            for layer in layers
            if (isinstance(layer, nn.Linear) and layer.out_features == classes)
            or (isinstance(layer, nn.Conv2d) and layer.out_channels == classes)
        ],
    )


def set_ends(ends: Ends, channels: int, classes: int) -> None:
    """Let the net read images of `channels` and tell `classes` apart."""
    for conv in ends.first:
        resize_conv(conv, channels, conv.out_channels, conv.groups)
    for head in ends.heads:
        if isinstance(head, nn.Linear):
            resize_linear(head, head.in_features, classes)
        else:
            resize_conv(head, head.in_channels, classes, head.groups)


def slim(net: nn.Module, width: float, ends: Ends) -> None:
    """Multiply every channel count of `net` by `width`, but for the image's channels and the classes.

    Raises StudyError with the possible widths if a count, or a group's share of it, does not stay whole.
    """
    factor = Fraction(width).limit_denominator(1024)
    if factor == 1:
        return
    stuck = [name for name, layer in net.named_modules() if not scalable(layer)]
    if stuck:
        kind = type(net.get_submodule(stuck[0])).__name__
        raise StudyError(f"width must be 1 for this net: its layer {stuck[0] or 'of the whole'} is a {kind}")
    unit = granularity(net, ends)
    if (factor * unit).denominator != 1 or factor <= 0:
        raise StudyError(
            f"width {width:g} would leave parts of channels in this net: the possible widths are multiples of 1/{unit}"
        )
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            inputs = layer.in_channels if layer in ends.first else int(layer.in_channels * factor)
            outputs = layer.out_channels if layer in ends.heads else int(layer.out_channels * factor)
            resize_conv(layer, inputs, outputs, inputs if is_depthwise(layer) else layer.groups)
        elif isinstance(layer, nn.Linear):
            outputs = layer.out_features if layer in ends.heads else int(layer.out_features * factor)
            resize_linear(layer, int(layer.in_features * factor), outputs)
        elif isinstance(layer, nn.BatchNorm2d):
            resize_batch_norm(layer, int(layer.num_features * factor))


def scalable(layer: nn.Module) -> bool:
    """Whether all numbers that the layer itself holds have a size that `slim` knows how to scale."""
    own = {name for name, _ in layer.named_parameters(recurse=False)}
    return not own or (isinstance(layer, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)) and own <= {"weight", "bias"})


def granularity(net: nn.Module, ends: Ends) -> int:
    """The greatest common divisor of the channel counts of `net`, by group in grouped convolutions.

    The possible widths are multiples of one over it.
    """
    counts: list[int] = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            groups = 1 if is_depthwise(layer) else layer.groups
            counts += [] if layer in ends.first else [layer.in_channels // groups]
            counts += [] if layer in ends.heads else [layer.out_channels // groups]
        elif isinstance(layer, nn.Linear):
            counts += [layer.in_features] if layer in ends.heads else [layer.in_features, layer.out_features]
    return reduce(gcd, counts)


def is_depthwise(conv: nn.Conv2d) -> bool:
    """One filter for each channel: a property that stays when there are fewer channels."""
    return conv.groups == conv.in_channels > 1


def resize_conv(conv: nn.Conv2d, inputs: int, outputs: int, groups: int) -> None:
    conv.in_channels, conv.out_channels, conv.groups = inputs, outputs, groups
    conv.weight = empty_like(conv.weight, outputs, inputs // groups, *conv.kernel_size)
    conv.bias = empty_like(conv.bias, outputs)


def resize_linear(linear: nn.Linear, inputs: int, outputs: int) -> None:
    linear.in_features, linear.out_features = inputs, outputs
    linear.weight = empty_like(linear.weight, outputs, inputs)
    linear.bias = empty_like(linear.bias, outputs)


def resize_batch_norm(norm: nn.BatchNorm2d, features: int) -> None:
    norm.num_features = features
    norm.weight, norm.bias = empty_like(norm.weight, features), empty_like(norm.bias, features)
    if norm.track_running_stats:
        norm.running_mean = torch.empty(features, device=norm.running_mean.device)
        norm.running_var = torch.empty(features, device=norm.running_var.device)


def empty_like(parameter: nn.Parameter | None, *shape: int) -> nn.Parameter | None:
    return None if parameter is None else nn.Parameter(torch.empty(shape, device=parameter.device))
