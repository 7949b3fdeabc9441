"""VGG (2014): Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition", table 1.

Stacks of 3x3 convolutions with ReLU, max pooling 2x2 after each of five stages, then AlexNet's three fully connected
layers. No local response normalisation: the paper found that it buys nothing (table 3, A against A-LRN).
Configuration D is VGG-16: 138,357,544 parameters, 15.470 G multiply-adds.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from ilsvrc_replay.architectures.architecture import Architecture
from ilsvrc_replay.architectures.layers import init_glorot

STAGE_CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000); `depths` counts the convolutions of each stage."""

    def __init__(self, depths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for depth, width in zip(depths, STAGE_CHANNELS, strict=True):
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2, stride=2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 1000),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))


ARCHITECTURES = [
    Architecture(
        name="vgg16",
        year=2014,
        paper="Simonyan & Zisserman 2014",
        construct=partial(VGG, (2, 2, 3, 3, 3)),
        # The submission initialised deep nets from a trained shallow one; section 3.1 then found that
        # Glorot & Bengio's rule does without.
        initialise=init_glorot,
    )
]
