"""`compact`: a net's earliest strides lowered, so that a small image reaches its body at a useful resolution.

At 224 px the nets of the challenge divide an image's side by 32 on the way to their last map. A 32 px image would
arrive as a single pixel. Compacting by f drops the first factor f of that division: a layer that stands where the
image is still at more than 1/f of its size loses its stride. Works in place; topology, depth and kernels stay.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from ilsvrc_replay.errors import StudyError, memory_is_short
from ilsvrc_replay.models.tracing import hooked, trace
from ilsvrc_replay.models.width import resize_linear

FACTORS = (1, 2, 4, 8, 16)
SMALLEST_MAP = 3  # px: "auto" keeps the last convolution's map at least this large


def compact(net: nn.Module, factor: int | str, image_size: int, published_size: int, channels: int) -> int:
    """Divide the total stride of `net`, published for images of `published_size` px, by `factor`; returns the factor.

    "auto" takes the smallest factor that leaves the last convolution a map of SMALLEST_MAP px; convolutions on pooled
    maps, as in a gate or a classifier, do not count. Fully connected layers that read a flattened map are resized to
    the map that now arrives. Raises StudyError if no such factor fits.
    """
    try:
        positions = stride_positions(net, published_size, channels)
        last = last_of_body(net, published_size, channels)
    except Exception as error:
        if memory_is_short(error):
            raise
        raise StudyError(
            f"this net does not take images of {published_size} px with {channels} channels: {error}"
        ) from None
    fits: list[str] = []
    for candidate in FACTORS:
        for layer, (reduction, stride) in positions.items():
            after = max(1, reduction * stride // candidate)
            lowered = after // max(1, reduction // candidate)
            layer.stride = (lowered, lowered) if isinstance(layer.stride, tuple) else lowered
        last_map = fit(net, last, image_size, channels)
        if last_map and (candidate == factor or (factor == "auto" and last_map >= SMALLEST_MAP)):
            return candidate
        if last_map:
            fits.append(str(candidate))
    possible = f"compact can be {', '.join(fits)}" if fits else "use a larger dataset.image_size"
    if factor == "auto" and fits:
        raise StudyError(
            f"no compact leaves the last convolution {SMALLEST_MAP} px of images of {image_size} px: {possible}"
        )
    raise StudyError(f"images of {image_size} px do not pass this net at compact {factor}: {possible}")


def stride_positions(net: nn.Module, image_size: int, channels: int) -> dict[nn.Module, tuple[int, int]]:
    """For every strided layer that an image of `image_size` px meets: how far the image was reduced, and its stride."""
    positions: dict[nn.Module, tuple[int, int]] = {}

    def note(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        stride = layer.stride if isinstance(layer.stride, int) else layer.stride[0]
        if stride > 1:
            reduction = image_size / inputs[0].shape[-1]
            positions[layer] = (2 ** round(math.log2(reduction)), stride)

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    with hooked(net, kinds, lambda layer: layer.register_forward_pre_hook(note)):
        trace(net.eval(), image_size, channels)
    return positions


def last_of_body(net: nn.Module, image_size: int, channels: int) -> nn.Conv2d | None:
    """The last convolution of an image of `image_size` px, its published size, that makes more than a single pixel.

    What stands on a single pixel there sees a pooled map: a gate's layers, or a classifier's.
    """
    found: list[nn.Conv2d] = []

    def note(conv: nn.Conv2d, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if output.shape[-1] > 1:
            found.append(conv)

    with hooked(net, nn.Conv2d, lambda conv: conv.register_forward_hook(note)):
        trace(net.eval(), image_size, channels)
    return found[-1] if found else None


def fit(net: nn.Module, last: nn.Conv2d | None, image_size: int, channels: int) -> int:
    """Resize the fully connected layers to what reaches them; returns the side of `last`'s map in px, 0 if the images
    do not pass."""
    side = 0

    def resize(linear: nn.Linear, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[-1] != linear.in_features:
            resize_linear(linear, inputs[0].shape[-1], linear.out_features)

    def note(conv: nn.Conv2d, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal side
        side = output.shape[-1] if conv is last else side

    with (
        hooked(net, nn.Linear, lambda linear: linear.register_forward_pre_hook(resize)),
        hooked(net, nn.Conv2d, lambda conv: conv.register_forward_hook(note)),
    ):
        try:
            if hasattr(net, "auxiliary_weight"):
                trace(net.train(), image_size, channels)  # auxiliary classifiers read maps of their own
            trace(net.eval(), image_size, channels)
        except Exception as error:  # a kernel is larger than the map that it meets, or the net insists on its size
            if memory_is_short(error):
                raise
            return 0
    return side
