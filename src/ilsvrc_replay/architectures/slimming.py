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
    heads: list[nn.Linear]


def find_ends(net: nn.Module, channels: int = 3, classes: int = 1000) -> Ends:
    """The ends of a net as published, for images of `channels` and `classes`; no hidden layer has either count."""
    layers = list(net.modules())
    return Ends(
        first=[layer for layer in layers if isinstance(layer, nn.Conv2d) and layer.in_channels == channels],
        heads=[layer for layer in layers if isinstance(layer, nn.Linear) and layer.out_features == classes],
    )


def set_ends(ends: Ends, channels: int, classes: int) -> None:
    """Let the net read images of `channels` and tell `classes` apart."""
    for conv in ends.first:
        resize_conv(conv, channels, conv.out_channels, conv.groups)
    for head in ends.heads:
        resize_linear(head, head.in_features, classes)


def slim(net: nn.Module, width: float, ends: Ends) -> None:
    """Multiply every channel count of `net` by `width`, but for the image's channels and the classes.

    Raises StudyError with the possible widths if a count does not stay whole.
    """
    factor = Fraction(width).limit_denominator(1024)
    if factor == 1:
        return

    def scaled(count: int, name: str) -> int:
        result = count * factor
        if result.denominator != 1 or result < 1:
            raise StudyError(
                f"width {width} would leave {float(result):g} of {count} channels in layer {name}: "
                f"the possible widths are multiples of 1/{granularity(net, ends)}"
            )
        return int(result)

    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d):
            inputs = layer.in_channels if layer in ends.first else scaled(layer.in_channels, name)
            outputs = scaled(layer.out_channels, name)
            depthwise = layer.groups == layer.in_channels
            groups = inputs if depthwise else layer.groups
            if inputs % groups or outputs % groups:
                raise StudyError(f"width {width} would leave {outputs} channels to {groups} groups in layer {name}")
            resize_conv(layer, inputs, outputs, groups)
        elif isinstance(layer, nn.Linear):
            outputs = layer.out_features if layer in ends.heads else scaled(layer.out_features, name)
            resize_linear(layer, scaled(layer.in_features, name), outputs)
        elif isinstance(layer, nn.BatchNorm2d):
            resize_batch_norm(layer, scaled(layer.num_features, name))
        elif any(True for _ in layer.parameters(recurse=False)):
            raise StudyError(f"width must be 1 for this net: its layer {name} is a {type(layer).__name__}")


def granularity(net: nn.Module, ends: Ends) -> int:
    """The greatest common divisor of all channel counts of `net`: its possible widths are multiples of one over it."""
    counts: list[int] = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            counts += [layer.out_channels] if layer in ends.first else [layer.in_channels, layer.out_channels]
        elif isinstance(layer, nn.Linear):
            counts += [layer.in_features] if layer in ends.heads else [layer.in_features, layer.out_features]
    return reduce(gcd, counts)


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
