"""The nets' outputs equal those of a library, where it has the net up to names or strides, and else those of the
paper's layers written out once more. All numbers are drawn, in double precision; slim nets keep it fast."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from written_out import Numbers, alexnet, bn_inception, fill, googlenet, zfnet

from ilsvrc_replay.layers.compat import make_torchvision_importable
from ilsvrc_replay.models import registry, width
from ilsvrc_replay.models.registry import find
from ilsvrc_replay.nets.inception_v3 import figure_5, figure_6, figure_7, reduction_to_8, reduction_to_17

make_torchvision_importable()
import timm  # noqa: E402
from torchvision import models  # noqa: E402
from torchvision.models import inception  # noqa: E402

WIDTH = 0.125
PIXELS = 60.0  # the spread of pixels from 0 to 255: local response normalisation does nothing to smaller numbers
assert_equal = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-9)


def slim(name: str, image_size: int = 224) -> nn.Module:
    """The net `name` at WIDTH of its channels, in test mode, with its strides as published."""
    net, _ = registry.build(name, image_size=image_size, channels=3, classes=1000, width=WIDTH, compact_factor=1)
    return fill(net).eval()


def drawn(side: int, std: float = 1.0) -> Tensor:
    return torch.randn(2, 3, side, side, dtype=torch.float64) * std


def assert_same_outputs(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    """Copy the drawn numbers of `theirs` into `ours` in order of definition; compare what both make of `images`."""
    fill(theirs)
    ours.double().load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    with torch.no_grad():
        assert_equal(ours.eval()(images), theirs.eval()(images))


def written_out(function: Callable[..., Any], net: nn.Module, images: Tensor, *options: Any) -> Any:
    """What the paper's layers make of `images` with the numbers of `net`, all of them."""
    numbers = Numbers(net, WIDTH)
    outputs = function(numbers, images, *options)
    assert not numbers.left
    return outputs


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_resnets_equal_torchvisions_with_the_stride_moved(name: str) -> None:
    theirs = slim(f"torchvision/{name}", 64)
    for block in theirs.modules():
        if isinstance(block, models.resnet.Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    assert_same_outputs(slim(name, 64), theirs, drawn(64))


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_vggs_equal_torchvisions(name: str) -> None:
    assert_same_outputs(slim(name), slim(f"torchvision/{name}"), drawn(224))


@torch.no_grad()
def test_alexnet_equals_its_papers_layers_written_out() -> None:
    net, images = slim("alexnet"), drawn(224, PIXELS)
    assert_equal(net(images), written_out(alexnet, net, images))


@torch.no_grad()
@pytest.mark.parametrize(("name", "conv3_to_5"), [("zfnet", (384, 384, 256)), ("zfnet_b", (512, 1024, 512))])
def test_zfnets_equal_their_papers_layers_written_out(name: str, conv3_to_5: tuple[int, int, int]) -> None:
    net, images = slim(name), drawn(224, PIXELS)
    assert_equal(net(images), written_out(zfnet, net, images, conv3_to_5))


@torch.no_grad()
def test_googlenet_and_its_auxiliary_classifiers_equal_the_papers_layers_written_out() -> None:
    net, images = slim("googlenet"), drawn(224, PIXELS)
    expected = written_out(googlenet, net, images)
    assert_equal(net(images), expected[0])
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    assert_equal(net.train()(images), expected)


@torch.no_grad()
def test_bn_inception_equals_its_papers_layers_written_out() -> None:
    net, images = slim("bn_inception"), drawn(224)
    assert_equal(net(images), written_out(bn_inception, net, images))


@pytest.mark.parametrize(
    ("ours", "theirs", "inputs", "side"),
    [
        (figure_6(768, 160), inception.InceptionC(768, 160), 768, 7),
        (figure_7(1280), inception.InceptionE(1280), 1280, 5),
        (reduction_to_17(), inception.InceptionB(288), 288, 9),
        (reduction_to_8(), inception.InceptionD(768), 768, 9),
    ],
    ids=["figure_6", "figure_7", "reduction_to_17", "reduction_to_8"],
)
def test_inception_v2s_modules_equal_those_of_the_released_v3(
    ours: nn.Module, theirs: nn.Module, inputs: int, side: int
) -> None:
    for norm in theirs.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 1e-5  # the one thing that differs
    assert_same_outputs(ours, theirs, torch.randn(2, inputs, side, side, dtype=torch.float64))


def test_figure_5_has_two_3x3_where_the_released_v3_has_a_5x5() -> None:
    theirs = inception.InceptionA(288, pool_features=64)
    theirs.branch5x5_2 = inception.BasicConv2d(48, 64, kernel_size=3, padding=1)
    for norm in theirs.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 1e-5
    assert_same_outputs(figure_5(288), theirs, torch.randn(2, 288, 9, 9, dtype=torch.float64))


@torch.no_grad()
def test_inception_v3_equals_timms_and_its_small_auxiliary_maps_change_nothing_at_299_px() -> None:
    ours, theirs = slim("inception_v3", 299), timm.create_model("inception_v3", aux_logits=True)
    untouched = models.Inception3(init_weights=False)
    for net in (theirs, untouched):
        width.slim(net, WIDTH, width.find_ends(net))
    fill(theirs).eval()
    for net in (ours, untouched.double()):
        net.load_state_dict(dict(zip(net.state_dict(), theirs.state_dict().values(), strict=True)))
    images = drawn(299)
    assert_equal(ours(images), theirs(images)[0])
    maps = torch.randn(2, 96, 17, 17, dtype=torch.float64)
    for mode in (True, False):
        assert torch.equal(ours.train(mode).AuxLogits(maps), untouched.train(mode).AuxLogits(maps))
    assert ours.AuxLogits(maps[:, :, :5, :5]).shape == (2, 1000)


def test_mobilenet_v1_has_the_papers_relu() -> None:
    kinds = {type(layer).__name__ for layer in find("mobilenet_v1").construct().modules()}
    assert "ReLU" in kinds
    assert "ReLU6" not in kinds
