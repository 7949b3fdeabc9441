"""BN-Inception (2015): Ioffe & Szegedy, "Batch normalization: accelerating deep network training by reducing internal
covariate shift", figure 5.

GoogLeNet with every 5x5 convolution replaced by two 3x3 ones, batch normalisation after every convolution, no local
response normalisation, a third module on the 28 px grid, average pooling in most modules, and strided modules (3c, 4e)
that pass the pooled input through in place of pooling layers between the stages. Figure 5 prints 576 outputs for 4c and
4d, but its own widths add up to 608, which is what is built here. 11,285,224 parameters, 2.033 G multiply-adds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import conv_bn_relu, init_truncated

# Figure 5: inputs | 1x1 | 3x3 reduce | 3x3 | double 3x3 reduce | double 3x3 | pooling | its projection; 0: not there
MODULES = {
    "3a": (192, 64, 64, 64, 64, 96, "average", 32),
    "3b": (256, 64, 64, 96, 64, 96, "average", 64),
    "3c": (320, 0, 128, 160, 64, 96, "strided", 0),
    "4a": (576, 224, 64, 96, 96, 128, "average", 128),
    "4b": (576, 192, 96, 128, 96, 128, "average", 128),
    "4c": (576, 160, 128, 160, 128, 160, "average", 128),
    "4d": (608, 96, 128, 192, 160, 192, "average", 128),
    "4e": (608, 0, 128, 192, 192, 256, "strided", 0),
    "5a": (1056, 352, 192, 320, 160, 224, "average", 128),
    "5b": (1024, 352, 192, 320, 192, 224, "max", 128),
}
POOLINGS = {
    "average": lambda: nn.AvgPool2d(3, stride=1, padding=1),
    "max": lambda: nn.MaxPool2d(3, stride=1, padding=1),
    "strided": lambda: nn.MaxPool2d(3, stride=2, padding=1),
}


class NormalisedInception(nn.Module):
    """(N, `inputs`, H, W) to its branches' channels, joined; a "strided" module halves H and W."""

    def __init__(self, inputs: int, c1: int, r3: int, c3: int, rd: int, cd: int, pooling: str, projection: int) -> None:
        super().__init__()
        stride = 2 if pooling == "strided" else 1
        branches: list[nn.Module] = [conv_bn_relu(inputs, c1, 1)] if c1 else []
        branches.append(nn.Sequential(conv_bn_relu(inputs, r3, 1), conv_bn_relu(r3, c3, 3, stride)))
        branches.append(
            nn.Sequential(conv_bn_relu(inputs, rd, 1), conv_bn_relu(rd, cd, 3), conv_bn_relu(cd, cd, 3, stride))
        )
        pool = POOLINGS[pooling]()
        branches.append(nn.Sequential(pool, conv_bn_relu(inputs, projection, 1)) if projection else pool)
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class BNInception(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv_bn_relu(3, 64, 7, stride=2),
            nn.MaxPool2d(3, stride=2, padding=1),
            conv_bn_relu(64, 64, 1),
            conv_bn_relu(64, 192, 3),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.inception = nn.Sequential(*(NormalisedInception(*widths) for widths in MODULES.values()))
        self.fc = nn.Linear(1024, 1000)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.inception(self.stem(images)).mean((2, 3)))


def without_normalisation() -> BNInception:
    """The same layers with a bias in place of every batch normalisation, as what it is compared with (section 4.2)."""
    net = BNInception()
    for layers in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        if len(layers) > 1 and isinstance(layers[1], nn.BatchNorm2d):
            layers[0].bias = nn.Parameter(layers[0].weight.new_zeros(layers[0].out_channels))
            layers[1] = nn.Identity()
    return net


NETS = {
    "bn_inception": Architecture(BNInception, init_truncated),
    "inception_no_bn": Architecture(without_normalisation, init_truncated),
}
