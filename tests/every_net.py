"""The nets of the history as test parameters: one of every kind always, their twins in `make test-long` only."""

from __future__ import annotations

import pytest

from ilsvrc_replay.nets import families

ALWAYS = (
    "alexnet",
    "zfnet",
    "vgg11_lrn",
    "vgg16_c",
    "vgg16",
    "googlenet",
    "bn_inception",
    "inception_v3",
    "plain18",
    "resnet18_a",
    "resnet50",
    "resnet20_cifar",
    "resnext50_32x4d",
    "mobilenet_v1",
    "mobilenet_v2",
)
EVERY_NET = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.long) for name in families()]
