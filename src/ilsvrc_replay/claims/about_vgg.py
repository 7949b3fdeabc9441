"""Measures of the claims about VGG, small filters, and how depth is counted."""

from __future__ import annotations

import re

from torch import nn

from ilsvrc_replay.claims import traced
from ilsvrc_replay.claims.filters import weights, window
from ilsvrc_replay.nets.vgg import STAGE_CHANNELS
from ilsvrc_replay.papers.evidence import Evidence, listed

CONFIGURATIONS = ("vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg16", "vgg19")
NAMED_BY_DEPTH = ("vgg11", "vgg13", "vgg16", "vgg19", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def only_weighted_layers_count() -> Evidence:
    """The longest way through convolutions and fully connected layers alone is as long as the net's name says."""
    agreeing = [name for name in NAMED_BY_DEPTH if traced.find(name).depth == int(re.search(r"\d+", name)[0])]
    vgg = traced.find("vgg16")
    figure = (
        f"so counted, {len(agreeing)} of {len(NAMED_BY_DEPTH)} nets are as deep as their names say;"
        f" VGG-16 has {vgg.depth} such layers, and {len(vgg.of(nn.MaxPool2d))} poolings"
    )
    return Evidence(figure, len(agreeing) == len(NAMED_BY_DEPTH))


def only_3x3() -> Evidence:
    """Holds if most configurations have nothing else; exactly, if all."""
    odd = {name: [size for size in filters(name) if size != (3, 3)] for name in CONFIGURATIONS}
    pure = [name for name, sizes in odd.items() if not sizes]
    others = {name: listed(f"{height}x{width}" for height, width in sizes) for name, sizes in odd.items() if sizes}
    figure = f"{len(pure)} of {len(odd)} configurations" + "".join(f"; {name} has {o}" for name, o in others.items())
    return Evidence(figure, 2 * len(pure) > len(odd), len(pure) == len(odd))


def filters(name: str) -> list[tuple[int, int]]:
    return [conv.module.kernel_size for conv in traced.find(name).of(nn.Conv2d)]


def two_3x3_cheaper() -> Evidence:
    """At every width that VGG has."""
    counts = {(weights(5, channels=c) / c**2, weights(3, 3, channels=c) / c**2) for c in STAGE_CHANNELS}
    one, two = max(counts)
    return Evidence(f"{one:g} C^2 against {two:g} C^2, {one / two:.2f} times", counts == {(25, 18)})


def five_3x3_cheaper() -> Evidence:
    """Far wider: under half the weights for the same window, and a greater ratio than 5x5 has to two 3x3."""
    one, five = weights(11), weights(3, 3, 3, 3, 3)
    before = weights(5) / weights(3, 3)
    figure = f"{one} C^2 against {five} C^2, {one / five:.2f} times; {before:.2f} for 5x5"
    return Evidence(figure, window(3, 3, 3, 3, 3) == window(11) and one / five > max(2, before))


def two_3x3_see_5x5() -> Evidence:
    """By the first stage of VGG-13, which is two convolutions."""
    first = stage("vgg13", 0)
    height, width = window(*first)
    figure = f"the {len(first)} convolutions of VGG-13's first stage see {height} x {width} px"
    return Evidence(figure, first == [(3, 3)] * 2 and (height, width) == (5, 5))


def stage(name: str, number: int) -> list[tuple[int, int]]:
    """The filters between two poolings."""
    stages: list[list[tuple[int, int]]] = [[]]
    for layer in traced.find(name).of(nn.Conv2d, nn.MaxPool2d):
        if isinstance(layer.module, nn.MaxPool2d):
            stages.append([])
        else:
            stages[-1].append(layer.module.kernel_size)
    return stages[number]


def no_lrn() -> Evidence:
    """Holds if VGG-16 and VGG-19 have none; exactly, if no configuration has."""
    normalised = [name for name in CONFIGURATIONS if traced.find(name).of(*traced.NORMALISATIONS)]
    batch = traced.recipe("vgg16").batch_size
    figure = f"of {len(CONFIGURATIONS)} configurations these normalise: {listed(normalised)}; batches of {batch}"
    return Evidence(figure, batch == 256 and not {"vgg16", "vgg19"} & set(normalised), not normalised)


def ends_as_alexnet() -> Evidence:
    """The same layers behind the last map, dropout among them, and the same rates and decay."""
    same = [name for name in ("vgg16", "vgg19") if head(name) == head("alexnet")]
    old, new = traced.recipe("alexnet"), traced.recipe("vgg16")
    keys = ("lr", "schedule", "momentum", "weight_decay", "dropout")
    other = [key for key in keys if getattr(old, key) != getattr(new, key)]
    outputs = listed(shape[0] for kind, shape, _ in head("alexnet") if kind is nn.Linear)
    figure = (
        f"{len(same)} of 2 end in AlexNet's {outputs} with its dropout; what the recipes differ in: {listed(other)}"
    )
    return Evidence(figure, len(same) == 2 and not other)


def head(name: str) -> list[tuple[type, tuple[int, ...], float | None]]:
    """Kind, outputs and dropout rate of the layers from the first fully connected one on."""
    layers = traced.find(name).layers
    first = next(number for number, layer in enumerate(layers) if isinstance(layer.module, nn.Linear))
    return [(type(layer.module), layer.outputs, getattr(layer.module, "p", None)) for layer in layers[first:]]


MEASURES = {
    "only-weighted-layers-count": only_weighted_layers_count,
    "vgg-only-3x3": only_3x3,
    "two-3x3-cheaper-than-5x5": two_3x3_cheaper,
    "five-3x3-cheaper-than-11x11": five_3x3_cheaper,
    "two-3x3-see-5x5": two_3x3_see_5x5,
    "vgg-no-lrn": no_lrn,
    "vgg-ends-as-alexnet": ends_as_alexnet,
}
