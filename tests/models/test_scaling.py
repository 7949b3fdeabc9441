"""`slim` and `compact` bring every net to every scale and leave its topology alone."""

from __future__ import annotations

import pytest
import torch
from every_net import EVERY_NET
from torch import nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.models.counting import count_macs, count_parameters
from ilsvrc_replay.models.registry import build, find, on_meta
from ilsvrc_replay.models.width import find_ends, granularity

WIDTHS = {"resnext50_32x4d": 0.25}  # 32 groups of 4 channels


def kinds(net: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in net.modules()]


@pytest.mark.parametrize("size", [28, 64, 299])
@pytest.mark.parametrize("name", EVERY_NET)
def test_every_size_and_width_builds_with_the_same_layers(name: str, size: int) -> None:
    published = kinds(on_meta(find(name)))
    net, factor = build(name, image_size=size, channels=1, classes=7, width=WIDTHS.get(name, 0.125))
    assert kinds(net) == published
    assert factor >= (2 if size <= 32 and find(name).input_size > 32 else 1)
    scores = net.eval()(torch.empty(2, 1, size, size, device="meta"))
    assert scores.shape == (2, 7)


@pytest.mark.parametrize("name", EVERY_NET)
def test_at_the_papers_size_nothing_changes(name: str) -> None:
    architecture = find(name)
    published, size = on_meta(architecture), architecture.input_size
    net, factor = build(name, image_size=size, channels=3, classes=architecture.classes)
    assert factor == 1
    assert count_parameters(net) == count_parameters(published)
    assert count_macs(net, size) == count_macs(published, size)


def test_width_multiplies_channels_exactly() -> None:
    net, _ = build("alexnet", image_size=224, channels=3, classes=1000, width=0.25)
    convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [24, 64, 96, 96, 64]
    assert [conv.in_channels for conv in convs] == [3, 24, 64, 96, 96]


@pytest.mark.parametrize(
    ("name", "width", "unit"), [("googlenet", 0.1, 8), ("resnext50_32x4d", 0.125, 4), ("mobilenet_v2", 0.3, 8)]
)
def test_a_width_that_breaks_a_channel_names_the_possible_ones(name: str, width: float, unit: int) -> None:
    with pytest.raises(StudyError, match=rf"width {width} would leave .* multiples of 1/{unit}$"):
        build(name, image_size=224, channels=3, classes=1000, width=width)


@pytest.mark.parametrize("name", EVERY_NET)
def test_the_smallest_possible_width_and_one_above_one_build(name: str) -> None:
    architecture = find(name)
    ends = find_ends(on_meta(architecture), architecture.channels, architecture.classes)
    unit = granularity(on_meta(architecture), ends)
    for width in (1 / unit, 1 + 1 / unit):
        net, _ = build(name, image_size=64, channels=3, classes=10, width=width)
        assert net.eval()(torch.empty(1, 3, 64, 64, device="meta")).shape == (1, 10)


def test_compact_lowers_the_first_strides_only() -> None:
    net, _ = build("resnet50", image_size=64, channels=3, classes=10, compact_factor=4)
    assert (net.stem[0][0].stride, net.stem[2].stride) == ((1, 1), 1)
    assert net.blocks[3].residual[0][0].stride == (2, 2)
    net, _ = build("resnet50", image_size=64, channels=3, classes=10, compact_factor=8)
    assert net.blocks[3].residual[0][0].stride == net.blocks[3].shortcut[0].stride == (1, 1)
    assert net.blocks[7].residual[0][0].stride == (2, 2)
    net, _ = build("alexnet", image_size=224, channels=3, classes=10, compact_factor=2)
    assert (net.features.conv1.stride, net.features.pool1.stride) == ((2, 2), 2)


def test_a_compact_factor_that_does_not_fit_names_the_ones_that_do() -> None:
    with pytest.raises(StudyError, match=r"images of 32 px .* compact 1: compact can be 4, 8, 16"):
        build("alexnet", image_size=32, channels=3, classes=10, compact_factor=1)


def test_image_channels_and_classes_survive_a_slim_layer_of_the_same_count() -> None:
    net, _ = build("googlenet", image_size=32, channels=3, classes=10, width=0.125)  # its 5x5 reductions go 24 -> 3
    assert [conv.in_channels for conv in net.modules() if isinstance(conv, nn.Conv2d)].count(3) > 1
    assert net.eval()(torch.empty(1, 3, 32, 32, device="meta")).shape == (1, 10)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(StudyError, match="no architecture 'resnet5'; the nearest names are resnet50"):
        find("resnet5")
