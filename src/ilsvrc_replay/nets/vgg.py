"""VGG (2014): Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition", table 1.

Stacks of 3x3 convolutions with ReLU, max pooling 2x2 after each of five stages, then AlexNet's three fully connected
layers. Two of the paper's configurations tried something else: A-LRN normalises after the first convolution, which
bought nothing (table 3); in C the third convolution of a stage is 1x1. A shallow twin of B has 5x5 filters
(section 4.1). Configuration D is VGG-16: 138,357,544 parameters, 15.470 G multiply-adds.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import LocalResponseNorm, init_glorot

STAGE_CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000); `depths` counts the convolutions of each stage.

    `normalised` puts local response normalisation after the first one; `pointwise` makes every third one 1x1; the
    others are `kernel` wide.
    """

    def __init__(
        self, depths: tuple[int, ...], normalised: bool = False, pointwise: bool = False, kernel: int = 3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for depth, width in zip(depths, STAGE_CHANNELS, strict=True):
            for number in range(depth):
                size = 1 if pointwise and number == 2 else kernel
                layers += [nn.Conv2d(channels, width, size, padding=size // 2), nn.ReLU(inplace=True)]
                if normalised and channels == 3:
                    layers.append(LocalResponseNorm())
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


def configuration(depths: tuple[int, ...], **options: bool | int) -> Architecture:
    """A net of table 1. The submission initialised deep nets from a trained shallow one; section 3.1 then found that
    Glorot & Bengio's rule does without."""
    return Architecture(partial(VGG, depths, **options), init_glorot)


NETS = {
    "vgg11": configuration((1, 1, 2, 2, 2)),  # A
    "vgg11_lrn": configuration((1, 1, 2, 2, 2), normalised=True),  # A-LRN
    "vgg13": configuration((2, 2, 2, 2, 2)),  # B
    "vgg13_5x5": configuration((1, 1, 1, 1, 1), kernel=5),  # B with a 5x5 for each pair of 3x3, section 4.1
    "vgg16_c": configuration((2, 2, 3, 3, 3), pointwise=True),  # C
    "vgg16": configuration((2, 2, 3, 3, 3)),  # D
    "vgg19": configuration((2, 2, 4, 4, 4)),  # E
}
