"""Look up an architecture by name and build it for a study's data and scale."""

from __future__ import annotations

import importlib

import torch
from torch import nn

from ilsvrc_replay import nets
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.layers import library
from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.models.compact import compact
from ilsvrc_replay.models.width import find_ends, set_ends, slim
from ilsvrc_replay.run import Net


def find(name: str) -> Architecture:
    """The architecture called `name`. Raises StudyError that names the nearest ones."""
    family = nets.family(name)
    if family == nets.LIBRARY:
        return library.find(name)
    return importlib.import_module(f"{nets.__name__}.{family}").NETS[name]


def build(
    name: str,
    *,
    image_size: int,
    channels: int,
    classes: int,
    width: float = 1.0,
    compact_factor: int | str = "auto",
    activation: str = "relu",
) -> tuple[nn.Module, int]:
    """The net `name` for square images of `image_size` px, on the meta device; and the compact factor it took.

    `materialise` then gives it memory and the paper's initial weights. The activation "tanh" takes every ReLU's place;
    raises StudyError if there is none.
    """
    architecture = find(name)
    with torch.device("meta"):
        net = architecture.construct()
        ends = find_ends(net, architecture.channels, architecture.classes)
        slim(net, width, ends)
        set_ends(ends, channels, classes)
        factor = compact(net, compact_factor, image_size, architecture.input_size, channels)
    if activation == "tanh" and not replace_relus(net, nn.Tanh):
        raise StudyError(f"activation is tanh, but {name} has no ReLU whose place it could take")
    return net, factor


def build_net(net: Net, shape: dict[str, int]) -> tuple[nn.Module, int]:
    """`build` as a resolved run says, for data of `shape`: `image_size`, `channels` and `classes`."""
    return build(net.architecture, width=net.width, compact_factor=net.compact, activation=net.activation, **shape)


def replace_relus(net: nn.Module, kind: type[nn.Module]) -> int:
    """Put a layer of `kind` in the place of every ReLU of `net`; returns how many there were."""
    places = [(parent, name) for parent in net.modules() for name, layer in parent.named_children() if is_relu(layer)]
    for parent, name in places:
        setattr(parent, name, kind())
    return len(places)


def is_relu(layer: nn.Module) -> bool:
    return isinstance(layer, (nn.ReLU, nn.ReLU6))


def on_meta(architecture: Architecture) -> nn.Module:
    """The net as published, without memory: enough to count and to trace, whatever its size."""
    with torch.device("meta"):
        return architecture.construct().eval()
