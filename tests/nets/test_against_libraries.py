"""Where a net equals a library's up to names or strides, copied weights give the same output."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ilsvrc_replay.layers.compat import make_torchvision_importable
from ilsvrc_replay.models.registry import find
from ilsvrc_replay.nets.inception_v3 import figure_5, figure_6, figure_7, reduction_to_8, reduction_to_17

make_torchvision_importable()
import timm  # noqa: E402
from torchvision import models  # noqa: E402
from torchvision.models import inception  # noqa: E402


def assert_same_outputs(ours: nn.Module, theirs: nn.Module, images: torch.Tensor) -> None:
    """Copy the tensors of `theirs` into `ours` in order of definition, and compare what both make of `images`."""
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=1e-5, atol=1e-5)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_resnets_equal_torchvisions_with_the_stride_moved(name: str) -> None:
    theirs = models.get_model(name, weights=None)
    for block in theirs.modules():
        if isinstance(block, models.resnet.Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    assert_same_outputs(find(name).construct(), theirs, torch.randn(1, 3, 64, 64))


@pytest.mark.parametrize("name", ["vgg11", "vgg13"])
def test_vggs_equal_torchvisions(name: str) -> None:
    theirs = models.get_model(name, weights=None)
    assert_same_outputs(find(name).construct(), theirs, torch.randn(1, 3, 224, 224))


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_deeper_vggs_have_the_layers_of_torchvisions(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = find(name).construct(), models.get_model(name, weights=None)
    kinds = [[repr(layer) for layer in net.features] for net in (ours, theirs)]
    assert kinds[0] == kinds[1]


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
    assert_same_outputs(ours, theirs, torch.randn(2, inputs, side, side))


def test_figure_5_has_two_3x3_where_the_released_v3_has_a_5x5() -> None:
    theirs = inception.InceptionA(288, pool_features=64)
    theirs.branch5x5_2 = inception.BasicConv2d(48, 64, kernel_size=3, padding=1)
    for norm in theirs.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = 1e-5
    assert_same_outputs(figure_5(288), theirs, torch.randn(2, 288, 9, 9))


def test_inception_v3_equals_timms_and_its_small_auxiliary_maps_change_nothing_at_299_px() -> None:
    ours, theirs = find("inception_v3").construct(), timm.create_model("inception_v3", aux_logits=True)
    images = torch.randn(1, 3, 299, 299)
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(images), theirs.eval()(images)[0], rtol=1e-5, atol=1e-5)
    untouched = models.Inception3(init_weights=False)
    untouched.load_state_dict(ours.state_dict())
    maps = torch.randn(2, 768, 17, 17)
    torch.testing.assert_close(ours.train().AuxLogits(maps), untouched.train().AuxLogits(maps), rtol=0, atol=0)
    assert ours.AuxLogits(maps[:, :, :5, :5]).shape == (2, 1000)


def test_mobilenet_v1_has_the_papers_relu() -> None:
    kinds = {type(layer).__name__ for layer in find("mobilenet_v1").construct().modules()}
    assert "ReLU" in kinds
    assert "ReLU6" not in kinds
