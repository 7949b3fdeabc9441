"""ResNet (2015): He, Zhang, Ren, Sun, "Deep residual learning for image recognition", table 1 and figure 5.

The paper's own nets ("v1"): in a bottleneck the stride sits on the first 1x1 convolution, where torchvision's and
timm's ("v1.5") have it on the 3x3. Shortcuts are projections where the shape changes and identities elsewhere
(option B). ResNet-50: 25,557,032 parameters, 3.858 G multiply-adds.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc_replay.architectures.architecture import Architecture
from ilsvrc_replay.architectures.layers import init_he


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around an identity: (N, `inputs`, H, W) to (N, 4 * `width`, H/s, W/s)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = conv_bn(inputs, width, 1, stride)
        self.conv2 = conv_bn(width, width, 3)
        self.conv3 = conv_bn(width, outputs, 1)
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, 1, stride)

    def zero_init_last(self) -> None:
        """Start as the identity: the name by which timm's blocks offer it too."""
        nn.init.zeros_(self.conv3[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x), inplace=True)), inplace=True))
        return F.relu(residual + self.shortcut(x))


class ResNet(nn.Module):
    """Images (N, 3, 224, 224) to scores (N, 1000); `depths` counts the blocks of stages conv2_x to conv5_x."""

    def __init__(self, depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = conv_bn(3, 64, 7, stride=2)
        self.pool1 = nn.MaxPool2d(3, stride=2, padding=1)
        blocks: list[nn.Module] = []
        inputs = 64
        for stage, depth in enumerate(depths):
            width = 64 * 2**stage
            for block in range(depth):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(Bottleneck(inputs, width, stride))
                inputs = width * Bottleneck.expansion
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(self.pool1(F.relu(self.conv1(images))))
        return self.fc(x.mean((2, 3)))


ARCHITECTURES = [
    Architecture(
        name="resnet50",
        year=2015,
        paper="He, Zhang, Ren, Sun 2015",
        construct=partial(ResNet, (3, 4, 6, 3)),
        initialise=init_he,
    )
]
