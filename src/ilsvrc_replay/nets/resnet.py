"""ResNet (2015): He, Zhang, Ren, Sun, "Deep residual learning for image recognition", table 1 and sections 3.3, 4.2.

The paper's own nets ("v1"): in a bottleneck the stride sits on the first 1x1 convolution, where torchvision's and
timm's ("v1.5") have it on the 3x3. Shortcuts where the shape changes are, by the paper's options,
A: identities padded with zeros, without parameters; B: projections; C: projections everywhere.
The bare names resnet18 and resnet34 are option B, as everybody means them; the paper's table 2 has A. A plain net is
the same without shortcuts. ResNet-50: 25,557,032 parameters, 3.858 G multiply-adds.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import conv_bn, init_he

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


def imagenet(depths: tuple[int, ...], *, bottleneck: bool, option: str | None) -> Architecture:
    """A net of table 1, for images (N, 3, 224, 224); `depths` are the blocks of the stages conv2_x to conv5_x."""

    def construct() -> ResNet:
        stem = [conv_bn(3, 64, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)]
        return ResNet(stem, (64, 128, 256, 512), depths, bottleneck=bottleneck, option=option, classes=1000)

    return Architecture(construct, init_he)


def cifar(n: int, *, option: str | None) -> Architecture:
    """A net of 6n + 2 layers for CIFAR-10's images (N, 3, 32, 32) (section 4.2)."""

    def construct() -> ResNet:
        stem = [conv_bn(3, 16, 3), nn.ReLU(inplace=True)]
        return ResNet(stem, (16, 32, 64), (n, n, n), bottleneck=False, option=option, classes=10)

    return Architecture(construct, init_he, input_size=32, classes=10)


NETS = {
    "plain18": imagenet((2, 2, 2, 2), bottleneck=False, option=None),
    "plain34": imagenet((3, 4, 6, 3), bottleneck=False, option=None),
    "resnet18_a": imagenet((2, 2, 2, 2), bottleneck=False, option="A"),
    "resnet18": imagenet((2, 2, 2, 2), bottleneck=False, option="B"),
    "resnet34_a": imagenet((3, 4, 6, 3), bottleneck=False, option="A"),
    "resnet34": imagenet((3, 4, 6, 3), bottleneck=False, option="B"),
    "resnet34_c": imagenet((3, 4, 6, 3), bottleneck=False, option="C"),
    "resnet50": imagenet((3, 4, 6, 3), bottleneck=True, option="B"),
    "resnet101": imagenet((3, 4, 23, 3), bottleneck=True, option="B"),
    "resnet152": imagenet((3, 8, 36, 3), bottleneck=True, option="B"),
    "plain20_cifar": cifar(3, option=None),
    "plain32_cifar": cifar(5, option=None),
    "plain44_cifar": cifar(7, option=None),
    "plain56_cifar": cifar(9, option=None),
    "plain110_cifar": cifar(18, option=None),
    "resnet20_cifar": cifar(3, option="A"),
    "resnet32_cifar": cifar(5, option="A"),
    "resnet44_cifar": cifar(7, option="A"),
    "resnet56_cifar": cifar(9, option="A"),
    "resnet110_cifar": cifar(18, option="A"),
}
