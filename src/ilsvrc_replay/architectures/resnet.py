"""ResNet (2015): He, Zhang, Ren, Sun, "Deep residual learning for image recognition", table 1 and sections 3.3, 4.2.

The paper's own nets ("v1"): in a bottleneck the stride sits on the first 1x1 convolution, where torchvision's and
timm's ("v1.5") have it on the 3x3. Shortcuts where the shape changes are, by the paper's options,
A: identities padded with zeros, without parameters; B: projections; C: projections everywhere.
The bare names resnet18 and resnet34 are option B, as everybody means them; the paper's table 2 has A. A plain net is
the same without shortcuts. ResNet-50: 25,557,032 parameters, 3.858 G multiply-adds.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc_replay.architectures.architecture import Architecture
from ilsvrc_replay.architectures.layers import conv_bn, init_he

BOTTLENECK_EXPANSION = 4


class PaddedIdentity(nn.Module):
    """Option A: every `stride`-th pixel, then zeros for the channels that are missing up to `ratio` times as many."""

    def __init__(self, ratio: int, stride: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.subsample = nn.MaxPool2d(1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(self.subsample(x), (0, 0, 0, 0, 0, (self.ratio - 1) * x.shape[1]))


class Block(nn.Module):
    """Convolutions around a shortcut: (N, `inputs`, H, W) to (N, expansion * `width`, H/`stride`, W/`stride`)."""

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool, option: str | None) -> None:
        super().__init__()
        outputs = width * BOTTLENECK_EXPANSION if bottleneck else width
        if bottleneck:
            convs = [conv_bn(inputs, width, 1, stride), conv_bn(width, width, 3), conv_bn(width, outputs, 1)]
        else:
            convs = [conv_bn(inputs, width, 3, stride), conv_bn(width, width, 3)]
        layers = [layer for conv in convs for layer in (conv, nn.ReLU(inplace=True))]
        self.residual = nn.Sequential(*layers[:-1])
        self.shortcut = shortcut(option, inputs, outputs, stride)
        self.relu = nn.ReLU(inplace=True)

    def zero_init_last(self) -> None:
        """Start as the identity: the name by which timm's blocks offer it too. A plain block has none to start as."""
        if self.shortcut is not None:
            nn.init.zeros_(self.residual[-1][1].weight)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.residual(x)
        return self.relu(residual if self.shortcut is None else residual + self.shortcut(x))


def shortcut(option: str | None, inputs: int, outputs: int, stride: int) -> nn.Module | None:
    """The shortcut by option "A", "B" or "C"; None for a plain net."""
    if option is None:
        return None
    if option != "C" and inputs == outputs and stride == 1:
        return nn.Identity()
    return PaddedIdentity(outputs // inputs, stride) if option == "A" else conv_bn(inputs, outputs, 1, stride)


class ResNet(nn.Module):
    """Images (N, 3, H, W) to scores (N, `classes`): `stem`, one stage of blocks for each of `widths`, a classifier.

    `depths` counts the blocks of each stage; all stages but the first begin with stride 2.
    """

    def __init__(
        self,
        stem: list[nn.Module],
        widths: tuple[int, ...],
        depths: tuple[int, ...],
        *,
        bottleneck: bool,
        option: str | None,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem)
        blocks: list[nn.Module] = []
        inputs = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for number in range(depth):
                blocks.append(Block(inputs, width, 2 if stage and number == 0 else 1, bottleneck, option))
                inputs = width * BOTTLENECK_EXPANSION if bottleneck else width
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inputs, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last map, (N, channels, H/32, W/32) as published."""
        return self.blocks(self.stem(images))

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.features(images).mean((2, 3)))


def imagenet(depths: tuple[int, ...], bottleneck: bool, option: str | None) -> ResNet:
    """A net of table 1, for images (N, 3, 224, 224)."""
    stem = [conv_bn(3, 64, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)]
    return ResNet(stem, (64, 128, 256, 512), depths, bottleneck=bottleneck, option=option, classes=1000)


def cifar(n: int, option: str | None) -> ResNet:
    """A net of 6n + 2 layers for CIFAR-10's images (N, 3, 32, 32) (section 4.2), option A."""
    stem = [conv_bn(3, 16, 3), nn.ReLU(inplace=True)]
    return ResNet(stem, (16, 32, 64), (n, n, n), bottleneck=False, option=option, classes=10)


IMAGENET = {  # blocks of the stages conv2_x to conv5_x, bottleneck, option
    "plain18": ((2, 2, 2, 2), False, None),
    "plain34": ((3, 4, 6, 3), False, None),
    "resnet18_a": ((2, 2, 2, 2), False, "A"),
    "resnet18": ((2, 2, 2, 2), False, "B"),
    "resnet34_a": ((3, 4, 6, 3), False, "A"),
    "resnet34": ((3, 4, 6, 3), False, "B"),
    "resnet34_c": ((3, 4, 6, 3), False, "C"),
    "resnet50": ((3, 4, 6, 3), True, "B"),
    "resnet101": ((3, 4, 23, 3), True, "B"),
    "resnet152": ((3, 8, 36, 3), True, "B"),
}
CIFAR = {
    f"{kind}{6 * n + 2}_cifar": (n, option)
    for kind, option in (("plain", None), ("resnet", "A"))
    for n in (3, 5, 7, 9, 18)
}
ARCHITECTURES = [Architecture(name, partial(imagenet, *parts), init_he) for name, parts in IMAGENET.items()] + [
    Architecture(name, partial(cifar, *parts), init_he, input_size=32, classes=10) for name, parts in CIFAR.items()
]
