"""Nets written out once more from their papers' tables, as plain functions of a net's numbers.

Nothing here is of the project. A function takes the numbers of a built net in order of definition, and each layer
checks that its filters have the paper's size; so a net that gives the same output has the paper's layers in the
paper's order. Where a paper prints no pads, they are those that give its printed maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@torch.no_grad()
def fill(net: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every number of `net` in double precision, with the statistics of batch normalisations, which would hide
    an exchange of two layers if they stayed at 0 and 1."""
    draws = torch.Generator().manual_seed(seed)
    net.to_empty(device="cpu").double()
    for name, numbers in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            numbers.zero_()
        elif numbers.dim() > 1:
            numbers.normal_(std=(2 / numbers[0].numel()) ** 0.5, generator=draws)
        elif name.endswith("running_mean") or name.endswith("bias"):
            numbers.normal_(std=0.5, generator=draws)
        else:
            numbers.uniform_(0.5, 1.5, generator=draws)
    return net


class Numbers:
    """The numbers of a net with `width` times the paper's channels, which its layers take one after another."""

    def __init__(self, net: nn.Module, width: float) -> None:
        self.left = [numbers for name, numbers in net.state_dict().items() if not name.endswith("num_batches_tracked")]
        self.width = width

    def take(self, *shape: int) -> Tensor:
        numbers = self.left.pop(0)
        assert tuple(numbers.shape) == shape
        return numbers

    def channels(self, published: int) -> int:
        return round(published * self.width)

    def conv(self, x: Tensor, outputs: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
        """A convolution with bias, then ReLU."""
        wide = self.channels(outputs)
        weight, bias = self.take(wide, x.shape[1] // groups, kernel, kernel), self.take(wide)
        return F.relu(F.conv2d(x, weight, bias, stride, padding, groups=groups))

    def conv_bn(self, x: Tensor, outputs: int, kernel: int, stride: int = 1) -> Tensor:
        """A convolution without bias that keeps the map's size at stride 1, batch normalisation in test mode, ReLU."""
        wide = self.channels(outputs)
        x = F.conv2d(x, self.take(wide, x.shape[1], kernel, kernel), stride=stride, padding=kernel // 2)
        gain, bias, mean, variance = (self.take(wide)[:, None, None] for _ in range(4))
        return F.relu((x - mean) / (variance + 1e-5).sqrt() * gain + bias)

    def linear(self, x: Tensor, outputs: int) -> Tensor:
        return F.linear(x, self.take(outputs, x.shape[1]), self.take(outputs))


def normalise(x: Tensor) -> Tensor:
    """AlexNet's section 3.3: a / (2 + 1e-4 * sum of a^2 over 5 channels) ^ 0.75; torch would divide 1e-4 by the 5."""
    return F.local_response_norm(x, 5, alpha=5 * 1e-4, beta=0.75, k=2.0)


def fully_connected(numbers: Numbers, x: Tensor) -> Tensor:
    """AlexNet's three last layers, in test mode."""
    for _ in range(2):
        x = F.relu(numbers.linear(x.flatten(1), numbers.channels(4096)))
    return numbers.linear(x, 1000)


def alexnet(numbers: Numbers, x: Tensor) -> Tensor:
    """AlexNet section 3.5 and figure 2."""
    x = F.max_pool2d(normalise(numbers.conv(x, 96, 11, stride=4, padding=2)), 3, 2)
    x = F.max_pool2d(normalise(numbers.conv(x, 256, 5, padding=2, groups=2)), 3, 2)
    x = numbers.conv(x, 384, 3, padding=1)
    x = numbers.conv(x, 384, 3, padding=1, groups=2)
    x = numbers.conv(x, 256, 3, padding=1, groups=2)
    return fully_connected(numbers, F.max_pool2d(x, 3, 2))


def zfnet(numbers: Numbers, x: Tensor, conv3_to_5: Sequence[int]) -> Tensor:
    """ZFNet figure 3; `conv3_to_5` are the channels of its last three convolutions."""
    x = normalise(F.max_pool2d(numbers.conv(x, 96, 7, stride=2, padding=1), 3, 2, padding=1))
    x = normalise(F.max_pool2d(numbers.conv(x, 256, 5, stride=2), 3, 2, padding=1))
    for outputs in conv3_to_5:
        x = numbers.conv(x, outputs, 3, padding=1)
    return fully_connected(numbers, F.max_pool2d(x, 3, 2))


# GoogLeNet's table 1: 1x1 | 3x3 reduce | 3x3 | 5x5 reduce | 5x5 | pool projection
GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(numbers: Numbers, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """GoogLeNet table 1, figure 3 and section 5: the scores, and those of the auxiliary classifiers on 4a and 4d."""
    x = F.max_pool2d(numbers.conv(x, 64, 7, stride=2, padding=3), 3, 2, ceil_mode=True)
    x = numbers.conv(numbers.conv(normalise(x), 64, 1), 192, 3, padding=1)
    x = F.max_pool2d(normalise(x), 3, 2, ceil_mode=True)
    maps = {}
    for name, (c1, r3, c3, r5, c5, projection) in GOOGLENET.items():
        one = numbers.conv(x, c1, 1)
        three = numbers.conv(numbers.conv(x, r3, 1), c3, 3, padding=1)
        five = numbers.conv(numbers.conv(x, r5, 1), c5, 5, padding=2)
        pooled = numbers.conv(F.max_pool2d(x, 3, 1, padding=1), projection, 1)
        maps[name] = torch.cat([one, three, five, pooled], 1)
        x = F.max_pool2d(maps[name], 3, 2, ceil_mode=True) if name in ("3b", "4e") else maps[name]
    scores = numbers.linear(F.avg_pool2d(x, 7).flatten(1), 1000)
    auxiliary = []
    for name in ("4a", "4d"):
        reduced = numbers.conv(F.avg_pool2d(maps[name], 5, 3), 128, 1)
        auxiliary.append(numbers.linear(F.relu(numbers.linear(reduced.flatten(1), numbers.channels(1024))), 1000))
    return scores, *auxiliary


# BN-Inception's figure 5: 1x1 | 3x3 reduce | 3x3 | double 3x3 reduce | double 3x3 | pool | its projection
BN_INCEPTION = {
    "3a": (64, 64, 64, 64, 96, "average", 32),
    "3b": (64, 64, 96, 64, 96, "average", 64),
    "3c": (0, 128, 160, 64, 96, "stride 2", 0),
    "4a": (224, 64, 96, 96, 128, "average", 128),
    "4b": (192, 96, 128, 96, 128, "average", 128),
    "4c": (160, 128, 160, 128, 160, "average", 128),
    "4d": (96, 128, 192, 160, 192, "average", 128),
    "4e": (0, 128, 192, 192, 256, "stride 2", 0),
    "5a": (352, 192, 320, 160, 224, "average", 128),
    "5b": (352, 192, 320, 192, 224, "max", 128),
}


def bn_inception(numbers: Numbers, x: Tensor) -> Tensor:
    """BN-Inception figure 5; an average counts the zeros beyond the edge."""
    x = F.max_pool2d(numbers.conv_bn(x, 64, 7, stride=2), 3, 2, padding=1)
    x = F.max_pool2d(numbers.conv_bn(numbers.conv_bn(x, 64, 1), 192, 3), 3, 2, padding=1)
    for c1, r3, c3, rd, cd, pool, projection in BN_INCEPTION.values():
        stride = 2 if pool == "stride 2" else 1
        branches = [numbers.conv_bn(x, c1, 1)] if c1 else []
        branches.append(numbers.conv_bn(numbers.conv_bn(x, r3, 1), c3, 3, stride))
        branches.append(numbers.conv_bn(numbers.conv_bn(numbers.conv_bn(x, rd, 1), cd, 3), cd, 3, stride))
        pooled = F.avg_pool2d(x, 3, 1, padding=1) if pool == "average" else F.max_pool2d(x, 3, stride, padding=1)
        branches.append(numbers.conv_bn(pooled, projection, 1) if projection else pooled)
        x = torch.cat(branches, 1)
    return numbers.linear(F.avg_pool2d(x, 7).flatten(1), 1000)
