"""Inception-v2 and v3 (2015): Szegedy et al., "Rethinking the Inception architecture for computer vision".

`inception_v2` is table 1, built here: three modules of figure 5 at 35 px, five of figure 6 at 17 px, two of figure 7 at
8 px, and between them the grid reduction of figure 10. The paper gives the channels at every border but not inside the
modules; inside they are those of the released Inception-v3, which has the same borders, with its narrowest 7x7
convolutions throughout, since the paper has fewer than 25 M parameters. No auxiliary classifier: the paper adds it in
v3. 23,928,904 parameters, 5.768 G multiply-adds.

`inception_v3` is the released graph, as torchvision ships it, since the paper's own is not fully described. It differs
from table 1: its stem pools once more and has a 1x1 convolution, its modules at 35 px keep a 5x5 convolution, and there
are four modules at 17 px. Its batch-normalised auxiliary classifier counts 0.4 while training, as the released code is
remembered to have it, and is gone at test time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import conv_bn_relu, init_truncated

AUXILIARY_MAP = 17  # px: the side of the map that v3's auxiliary classifier reads at 299 px


class Branches(nn.Module):
    """(N, C, H, W) to what each of `branches` makes of it, joined along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def chain(inputs: int, *layers: tuple[int, int | tuple[int, int]], stride: int = 1) -> nn.Sequential:
    """Convolutions of (channels, kernel) one after the other; a stride of 2 is the last one's, which then pads not."""
    convs = []
    for number, (channels, kernel) in enumerate(layers, start=1):
        last = number == len(layers) and stride > 1
        convs.append(conv_bn_relu(inputs, channels, kernel, *((stride, 0) if last else ())))
        inputs = channels
    return nn.Sequential(*convs)


def pooled(inputs: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), conv_bn_relu(inputs, channels, 1))


def figure_5(inputs: int) -> Branches:
    """A module of the 35 px grid: GoogLeNet's, its 5x5 convolution factorised into two 3x3 ones."""
    return Branches(
        chain(inputs, (64, 1)),
        chain(inputs, (48, 1), (64, 3)),
        chain(inputs, (64, 1), (96, 3), (96, 3)),
        pooled(inputs, 64),
    )


def figure_6(inputs: int, c7: int = 128) -> Branches:
    """A module of the 17 px grid: 7x7 convolutions of `c7` channels factorised into 1x7 and 7x1."""
    row, column = (1, 7), (7, 1)
    return Branches(
        chain(inputs, (192, 1)),
        chain(inputs, (c7, 1), (c7, row), (192, column)),
        chain(inputs, (c7, 1), (c7, column), (c7, row), (c7, column), (192, row)),
        pooled(inputs, 192),
    )


def figure_7(inputs: int) -> Branches:
    """A module of the 8 px grid: its 3x3 convolutions end in 1x3 and 3x1 side by side."""

    def spread() -> Branches:
        return Branches(chain(384, (384, (1, 3))), chain(384, (384, (3, 1))))

    return Branches(
        chain(inputs, (320, 1)),
        nn.Sequential(chain(inputs, (384, 1)), spread()),
        nn.Sequential(chain(inputs, (448, 1), (384, 3)), spread()),
        pooled(inputs, 192),
    )


def reduction_to_17() -> Branches:
    """Figure 10: strided convolutions beside a pooling, 35x35x288 to 17x17x768."""
    return Branches(
        chain(288, (384, 3), stride=2), chain(288, (64, 1), (96, 3), (96, 3), stride=2), nn.MaxPool2d(3, stride=2)
    )


def reduction_to_8() -> Branches:
    """The same, 17x17x768 to 8x8x1280, with the factorised 7x7 of its neighbours."""
    return Branches(
        chain(768, (192, 1), (320, 3), stride=2),
        chain(768, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3), stride=2),
        nn.MaxPool2d(3, stride=2),
    )


class InceptionV2(nn.Module):
    """Images (N, 3, 299, 299) to scores (N, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv_bn_relu(3, 32, 3, stride=2, padding=0),
            conv_bn_relu(32, 32, 3, padding=0),
            conv_bn_relu(32, 64, 3),
            nn.MaxPool2d(3, stride=2),
            conv_bn_relu(64, 80, 3, padding=0),
            conv_bn_relu(80, 192, 3, stride=2, padding=0),
            conv_bn_relu(192, 288, 3),
        )
        self.grid35 = nn.Sequential(*(figure_5(288) for _ in range(3)), reduction_to_17())
        self.grid17 = nn.Sequential(*(figure_6(768) for _ in range(5)), reduction_to_8())
        self.grid8 = nn.Sequential(figure_7(1280), figure_7(2048))
        self.fc = nn.Linear(2048, 1000)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.grid8(self.grid17(self.grid35(self.stem(images)))).mean((2, 3)))


def inception_v3() -> nn.Module:
    """torchvision's, with an auxiliary classifier that also reads maps smaller than the published 17 px."""
    from ilsvrc_replay.layers.library import torchvision_models

    net = torchvision_models().Inception3(init_weights=False)
    net.auxiliary_weight = 0.4
    net.AuxLogits.register_forward_pre_hook(lambda _module, inputs: enlarge(inputs[0], AUXILIARY_MAP))
    return net


def enlarge(x: Tensor, side: int) -> Tensor:
    """A map (N, C, H, W) of less than `side` px to `side` by repeating its pixels; a larger one as it is."""
    if min(x.shape[2:]) >= side:
        return x
    rows, columns = (torch.arange(side, device=x.device) * length // side for length in x.shape[2:])
    return x[:, :, rows][:, :, :, columns]


NETS = {
    "inception_v2": Architecture(InceptionV2, init_truncated, input_size=299),
    "inception_v3": Architecture(inception_v3, init_truncated, input_size=299),
}
