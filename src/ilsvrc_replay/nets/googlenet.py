"""GoogLeNet (2014): Szegedy et al., "Going deeper with convolutions", table 1 and figure 3.

Nine Inception modules of four branches: 1x1, 3x3 and 5x5 convolutions, the larger two behind a 1x1 reduction, and a
max pooling with a 1x1 projection. Local response normalisation in the stem, no batch normalisation, real 5x5 branches.
Two auxiliary classifiers on modules 4a and 4d add 0.3 of their loss each while training and are gone at test time
(section 5). 6,998,552 parameters, 1.583 G multiply-adds; 13,378,280 parameters with both auxiliary classifiers.
Table 1 lists 6.8 M because its first row describes a separable 7x7 convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import LocalResponseNorm, init_glorot

# Table 1: inputs | 1x1 | 3x3 reduce | 3x3 | 5x5 reduce | 5x5 | pool projection
MODULES = {
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def conv_relu(inputs: int, outputs: int, kernel: int, **options: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, **options), nn.ReLU(inplace=True))


class Inception(nn.Module):
    """(N, `inputs`, H, W) to the four branches' channels, joined: (N, c1 + c3 + c5 + projection, H, W)."""

    def __init__(self, inputs: int, c1: int, r3: int, c3: int, r5: int, c5: int, projection: int) -> None:
        super().__init__()
        self.branch1 = conv_relu(inputs, c1, 1)
        self.branch3 = nn.Sequential(conv_relu(inputs, r3, 1), conv_relu(r3, c3, 3, padding=1))
        self.branch5 = nn.Sequential(conv_relu(inputs, r5, 1), conv_relu(r5, c5, 5, padding=2))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), conv_relu(inputs, projection, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.pool(x)], dim=1)


class AuxiliaryClassifier(nn.Module):
    """Average pooling 5x5/3, 1x1 convolution to 128, two fully connected layers, dropout 0.7 (section 5)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.reduce = conv_relu(inputs, 128, 1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, kernel_size=min(5, *x.shape[2:]), stride=3)  # a small image's map may be under 5 px
        x = F.relu(self.fc1(self.reduce(x).flatten(1)))
        return self.fc2(self.dropout(x))


class GoogLeNet(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000); while training also the scores of both auxiliary classifiers."""

    auxiliary_weight = 0.3

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv_relu(3, 64, 7, stride=2, padding=3),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            LocalResponseNorm(),
            conv_relu(64, 64, 1),
            conv_relu(64, 192, 3, padding=1),
            LocalResponseNorm(),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
        )
        inception = {name: Inception(*widths) for name, widths in MODULES.items()}
        self.stage3 = nn.Sequential(inception["3a"], inception["3b"], nn.MaxPool2d(3, stride=2, ceil_mode=True))
        self.stage4a = inception["4a"]
        self.stage4bcd = nn.Sequential(inception["4b"], inception["4c"], inception["4d"])
        self.stage4e = nn.Sequential(inception["4e"], nn.MaxPool2d(3, stride=2, ceil_mode=True))
        self.stage5 = nn.Sequential(inception["5a"], inception["5b"])
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4), nn.Linear(1024, 1000))
        self.auxiliary1 = AuxiliaryClassifier(512)
        self.auxiliary2 = AuxiliaryClassifier(528)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        after_4a = self.stage4a(self.stage3(self.stem(images)))
        after_4d = self.stage4bcd(after_4a)
        scores = self.head(self.stage5(self.stage4e(after_4d)))
        if not self.training:
            return scores
        return scores, self.auxiliary1(after_4a), self.auxiliary2(after_4d)


NETS = {"googlenet": Architecture(GoogLeNet, init_glorot)}  # the paper does not say how it starts
