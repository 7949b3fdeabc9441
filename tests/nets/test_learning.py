"""Nets learn: a net that cannot learn sixty images by heart is broken."""

from __future__ import annotations

import pytest
import torch
from every_net import ALWAYS, EVERY_NET
from torch.nn import functional as F

from ilsvrc_replay.models.initial_weights import materialise, set_dropout
from ilsvrc_replay.models.registry import build, find
from ilsvrc_replay.packed.packed_data import Packed

STEPS = 200
TWINS = {"vgg16_c", "resnet18_a", "resnet20_cifar", "resnext50_32x4d", "mobilenet_v2"}  # of a kind that is here anyway
NETS = [pytest.param(name, marks=pytest.mark.long) if name in TWINS else name for name in ALWAYS]
NETS += [net for net in EVERY_NET if net.values[0] not in ALWAYS]


@pytest.mark.parametrize("name", NETS)
def test_learns_64_images_by_heart(name: str, packed: Packed) -> None:
    net, _ = build(
        name, **packed.shape, width=0.5 if name.endswith("_cifar") else 0.25 if name == "resnext50_32x4d" else 0.125
    )
    materialise(net, find(name), "orthogonal", seed=0, zero_residuals=True, norm_bias=1.0)
    set_dropout(net, 0.0)
    images = packed.pixels().standardise(packed.images("train")[:64] / 255)
    labels = packed.labels("train")[:64]
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    net.to(memory_format=torch.channels_last).train()
    images = images.contiguous(memory_format=torch.channels_last)
    for _ in range(STEPS):
        outputs = net(images)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        optimizer.zero_grad()
        sum(F.cross_entropy(output, labels) for output in outputs).backward()
        optimizer.step()
        if all((output.argmax(1) == labels).all() for output in outputs):
            break
    assert all((output.argmax(1) == labels).all() for output in outputs)  # auxiliary classifiers too
    first = next(net.parameters())
    assert first.grad.abs().max() > 0
