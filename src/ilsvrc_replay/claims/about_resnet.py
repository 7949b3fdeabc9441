"""Measures of the claims about ResNet."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from statistics import mean

from torch import nn

from ilsvrc_replay import nets
from ilsvrc_replay.claims import traced
from ilsvrc_replay.layers.blocks import fan_in
from ilsvrc_replay.nets.resnet import Block
from ilsvrc_replay.papers.evidence import Evidence, listed

VERSIONS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def blocks_152() -> Evidence:
    net = traced.find("resnet152")
    return Evidence(f"{net.additions} residual blocks in {net.depth} layers", net.additions == 152)


def blocks_1_3_1() -> Evidence:
    """Holds if most versions have nothing else; exactly, if all."""
    kinds = {name: block_kinds(name) for name in VERSIONS}
    bottlenecks = [name for name, found in kinds.items() if found == {"1-3-1"}]
    others = "".join(f"; {name} has {listed(found)}" for name, found in kinds.items() if name not in bottlenecks)
    figure = f"{len(bottlenecks)} of {len(VERSIONS)} versions{others}"
    return Evidence(figure, 2 * len(bottlenecks) > len(VERSIONS), len(bottlenecks) == len(VERSIONS))


def block_kinds(name: str) -> set[str]:
    """The filters of the blocks of a net that have a shortcut, as "3-3"."""
    blocks = [m for m in traced.find(name).module.modules() if isinstance(m, Block) and m.shortcut is not None]
    return {"-".join(str(conv.kernel_size[0]) for conv in convolutions(block.residual)) for block in blocks}


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]


def five_depths() -> Evidence:
    named = [name for name in nets.families() if re.fullmatch(r"resnet\d+", name)]
    depths = [traced.find(name).depth for name in named]
    return Evidence(f"{listed(depths)} layers with weights", depths == [18, 34, 50, 101, 152])


def one_fully_connected_layer() -> Evidence:
    """The only one, to 1000 scores, and it reads one number of each of the last maps: their average."""
    ends = {name: (traced.find(name).of(nn.Linear), traced.find(name).of(nn.Conv2d)[-1]) for name in VERSIONS}
    single = [
        name
        for name, (linears, last) in ends.items()
        if [(linear.inputs, linear.outputs) for linear in linears] == [((last.outputs[0],), (1000,))]
    ]
    figure = f"{len(single)} of {len(VERSIONS)} versions have one, from the averages of the last maps to 1000 scores"
    return Evidence(figure, len(single) == len(VERSIONS))


def xavier() -> Evidence:
    """Which rule the initial weights follow: their standard deviation by He's and by Xavier's, mean of all layers."""
    by_he, by_xavier = [], []
    for conv in convolutions(traced.start("resnet50", width=0.125)):
        inputs, outputs = fan_in(conv), conv.weight[:, 0].numel()
        deviation = conv.weight.std().item()
        by_he.append(deviation / math.sqrt(2 / inputs))
        by_xavier.append(deviation / math.sqrt(2 / (inputs + outputs)))
    he, glorot = mean(by_he), mean(by_xavier)
    figure = f"the initial weights spread {he:.2f} times as far as He's rule has it, {glorot:.2f} times as Xavier's"
    return Evidence(figure, abs(glorot - 1) < abs(he - 1))


def normalised_without_dropout() -> Evidence:
    convs = normalised = dropouts = 0
    for name in VERSIONS:
        net = traced.find(name)
        after = [behind.module for layer, behind in pairwise(net.layers) if isinstance(layer.module, nn.Conv2d)]
        convs += len(after)
        normalised += sum(isinstance(module, nn.BatchNorm2d) for module in after)
        dropouts += len(net.of(nn.Dropout, nn.Dropout2d))
    figure = f"{normalised} of {convs} convolutions in {len(VERSIONS)} versions, {dropouts} dropout layers"
    return Evidence(figure, normalised == convs and not dropouts)


MEASURES = {
    "resnet-152-blocks": blocks_152,
    "resnet-blocks-1-3-1": blocks_1_3_1,
    "resnet-five-depths": five_depths,
    "resnet-one-fully-connected-layer": one_fully_connected_layer,
    "resnet-starts-with-xavier": xavier,
    "resnet-normalised-without-dropout": normalised_without_dropout,
}
