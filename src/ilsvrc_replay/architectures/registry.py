"""Look up an architecture by name and build it for a study's data and scale."""

from __future__ import annotations

import difflib
import importlib

import torch
from torch import nn

from ilsvrc_replay.architectures import library
from ilsvrc_replay.architectures.architecture import Architecture
from ilsvrc_replay.architectures.compacting import compact
from ilsvrc_replay.architectures.slimming import find_ends, set_ends, slim
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Entry

FAMILIES = (  # one file each beside this one, in order of history
    "alexnet",
    "zfnet",
    "vgg",
    "googlenet",
    "bn_inception",
    "inception_v3",
    "resnet",
    "inception_v4",
    "resnext",
    "densenet",
    "mobilenet",
)


def architectures() -> dict[str, tuple[str, Architecture]]:
    """Every architecture of the history with its family, by name, in order of history."""
    modules = {family: importlib.import_module(f"{__package__}.{family}") for family in FAMILIES}
    return {item.name: (family, item) for family, module in modules.items() for item in module.ARCHITECTURES}


def find(name: str) -> tuple[str, Architecture]:
    """The family and the architecture called `name`. Raises StudyError that names the nearest ones."""
    if "/" in name:
        return "library", library.find(name)
    known = architectures()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or list(known)
        raise StudyError(f"there is no architecture {name!r}; the nearest names are {', '.join(nearest)}")
    return known[name]


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
    architecture = find(name)[1]
    with torch.device("meta"):
        net = architecture.construct()
        ends = find_ends(net, architecture.channels, architecture.classes)
        slim(net, width, ends)
        set_ends(ends, channels, classes)
        factor = compact(net, compact_factor, image_size, architecture.input_size, channels)
    if activation == "tanh" and not replace_relus(net, nn.Tanh):
        raise StudyError(f"activation is tanh, but {name} has no ReLU whose place it could take")
    return net, factor


def build_entry(entry: Entry, shape: dict[str, int]) -> tuple[nn.Module, int]:
    """`build` as an entry of params.yaml says, for data of `shape`: `image_size`, `channels` and `classes`."""
    return build(
        entry.architecture,
        width=entry.width,
        compact_factor=entry.compact,
        activation=entry.activation,
        **shape,
    )


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
