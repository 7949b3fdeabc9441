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
) -> tuple[nn.Module, int]:
    """The net `name` for square images of `image_size` px, on the meta device; and the compact factor it took.

    `materialise` then gives it memory and the paper's initial weights.
    """
    architecture = find(name)[1]
    with torch.device("meta"):
        net = architecture.construct()
        ends = find_ends(net, architecture.channels, architecture.classes)
        slim(net, width, ends)
        set_ends(ends, channels, classes)
        factor = compact(net, compact_factor, image_size, architecture.input_size, channels)
    return net, factor


def on_meta(architecture: Architecture) -> nn.Module:
    """The net as published, without memory: enough to count and to trace, whatever its size."""
    with torch.device("meta"):
        return architecture.construct().eval()
