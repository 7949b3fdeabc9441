"""The verdicts follow the nets: another net, another verdict."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from ilsvrc_replay.claims import traced
from ilsvrc_replay.claims.verdicts import MEASURES
from ilsvrc_replay.layers.blocks import init_glorot
from ilsvrc_replay.nets.alexnet import AlexNet
from ilsvrc_replay.nets.googlenet import GoogLeNet
from ilsvrc_replay.nets.resnet import imagenet
from ilsvrc_replay.nets.vgg import VGG

Replace = Callable[[str, Callable[[], nn.Module]], None]


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Replace:
    """Puts another net in the place of a published one."""
    published, others = traced.find, {}
    monkeypatch.setattr(traced, "find", lambda name: others.get(name) or published(name))

    def put(name: str, construct: Callable[[], nn.Module]) -> None:
        with torch.device("meta"):
            others[name] = traced.TracedNet(construct(), published(name).input_size)

    return put


def alexnet(change: Callable[[AlexNet], None]) -> AlexNet:
    net = AlexNet()
    change(net)
    return net


def pool_first(net: AlexNet) -> None:
    f = net.features
    f.norm1, f.pool1, f.norm2, f.pool2 = f.pool1, f.norm1, f.pool2, f.norm2


def layer_norm(net: AlexNet) -> None:
    net.features.norm1, net.features.norm2 = nn.LayerNorm([96, 55, 55]), nn.LayerNorm([256, 27, 27])


def without_groups(net: AlexNet) -> None:
    net.features.conv2 = nn.Conv2d(96, 256, 5, padding=2)
    net.features.conv4 = nn.Conv2d(384, 384, 3, padding=1)
    net.features.conv5 = nn.Conv2d(384, 256, 3, padding=1)


def wide_end(net: AlexNet) -> None:
    net.features.conv5 = nn.Conv2d(384, 384, 3, padding=1)
    net.classifier.fc6 = nn.Linear(384 * 6 * 6, 4096)


def without_hidden_layer(net: AlexNet) -> None:
    net.classifier.fc7 = nn.Identity()


def thin_end(net: AlexNet) -> None:
    """Eight maps and eight hidden units behind conv2."""
    net.features.conv3, net.features.conv4 = nn.Conv2d(256, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
    net.features.conv5, net.classifier.fc6 = nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8 * 6 * 6, 8)
    net.classifier.fc7, net.classifier.fc8 = nn.Linear(8, 8), nn.Linear(8, 1000)


def without_dropout(net: AlexNet) -> None:
    net.classifier.drop6.p = 0.0


@pytest.mark.parametrize(
    ("change", "claim", "verdict"),
    [
        (pool_first, "alexnet-pools-before-it-normalises", "true"),
        (layer_norm, "alexnet-layer-normalisation", "true"),
        (without_groups, "alexnet-widths", "true"),
        (wide_end, "alexnet-last-pool-reads-384-maps", "true"),
        (without_hidden_layer, "alexnet-8-layers", "wrong"),
        (without_hidden_layer, "alexnet-fully-connected", "wrong"),
        (without_hidden_layer, "vgg-ends-as-alexnet", "wrong"),
        (thin_end, "large-filters-cost", "true"),
        (without_dropout, "alexnet-recipe", "wrong"),
    ],
)
def test_another_alexnet(change: Callable[[AlexNet], None], claim: str, verdict: str, replace: Replace) -> None:
    replace("alexnet", lambda: alexnet(change))
    assert MEASURES[claim]().verdict == verdict


def test_a_zfnet_with_only_other_filters(replace: Replace) -> None:
    def finer(net: AlexNet) -> None:
        net.features.conv1 = nn.Conv2d(3, 96, 9, stride=4, padding=1)

    replace("zfnet", lambda: alexnet(finer))
    assert MEASURES["zfnet-differs-in-hyper-parameters"]().verdict == "true"


def test_a_googlenet_that_normalises_after_it_pools(replace: Replace) -> None:
    def swapped() -> GoogLeNet:
        net = GoogLeNet()
        net.stem[5], net.stem[6] = net.stem[6], net.stem[5]
        return net

    replace("googlenet", swapped)
    assert MEASURES["googlenet-stem"]().verdict == "wrong"


def test_torchvisions_googlenet(replace: Replace) -> None:
    """No normalisation in the stem but by batch, and no 5x5 filters."""
    from ilsvrc_replay.layers.library import from_torchvision

    replace("googlenet", partial(from_torchvision, "googlenet", aux_logits=False, init_weights=False))
    assert MEASURES["googlenet-stem"]().verdict == "wrong"
    assert MEASURES["inception-several-filter-sizes"]().verdict == "wrong"
    assert MEASURES["reductions-save-3-to-4-times"]().verdict == "not decided"


def test_a_googlenet_with_a_vggs_body(replace: Replace) -> None:
    replace("googlenet", partial(VGG, (2, 2, 4, 4, 4)))
    expected = {
        "googlenet-19-layers": "true",
        "googlenet-22-layers": "wrong",
        "googlenet-12-times-fewer-parameters": "wrong",
        "googlenet-27-times-fewer-parameters": "wrong",
    }
    assert {claim: MEASURES[claim]().verdict for claim in expected} == expected


def test_a_vgg_c_of_3x3_alone(replace: Replace) -> None:
    replace("vgg16_c", partial(VGG, (2, 2, 3, 3, 3)))
    assert MEASURES["vgg-only-3x3"]().verdict == "true"


@pytest.mark.parametrize(("name", "normalised", "verdict"), [("vgg11_lrn", False, "true"), ("vgg16", True, "wrong")])
def test_vggs_with_other_normalisation(name: str, normalised: bool, verdict: str, replace: Replace) -> None:
    replace(name, partial(VGG, (2, 2, 3, 3, 3), normalised=normalised))
    assert MEASURES["vgg-no-lrn"]().verdict == verdict


@pytest.mark.parametrize("option", ["B", None])
def test_resnets_of_one_kind_of_block(option: str | None, replace: Replace) -> None:
    """All bottlenecks, and then all without their shortcuts."""
    for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"):
        replace(name, imagenet((1, 1, 1, 1), bottleneck=True, option=option).construct)
    measured = MEASURES["resnet-blocks-1-3-1"]()
    assert measured.verdict == ("true" if option else "wrong")
    assert MEASURES["resnet-five-depths"]().verdict == "wrong"


def test_a_resnet_of_152_blocks(replace: Replace) -> None:
    replace("resnet152", imagenet((3, 8, 138, 3), bottleneck=False, option="B").construct)
    assert MEASURES["resnet-152-blocks"]().verdict == "true"
    assert MEASURES["only-weighted-layers-count"]().verdict == "wrong"


def test_a_resnet_with_dropout_and_a_second_classifier(replace: Replace) -> None:
    def heavier() -> nn.Module:
        net = imagenet((2, 2, 2, 2), bottleneck=False, option="B").construct()
        net.fc = nn.Sequential(nn.Linear(512, 512), nn.Dropout(0.5), nn.Linear(512, 1000))
        return net

    replace("resnet18", heavier)
    assert MEASURES["resnet-one-fully-connected-layer"]().verdict == "wrong"
    assert MEASURES["resnet-normalised-without-dropout"]().verdict == "wrong"


def test_a_resnet_started_by_xavier(monkeypatch: pytest.MonkeyPatch) -> None:
    start = traced.start

    def by_xavier(name: str, width: float) -> nn.Module:
        net = start(name, width)
        init_glorot(net)
        return net

    monkeypatch.setattr(traced, "start", by_xavier)
    assert MEASURES["resnet-starts-with-xavier"]().verdict == "true"


def test_an_inception_v4_with_residuals(replace: Replace) -> None:
    replace("inception_v4", lambda: traced.find("inception_resnet_v2").module)
    assert MEASURES["inception-v4-has-residuals"]().verdict == "true"


def test_an_inception_v2_like_the_first(replace: Replace) -> None:
    replace("inception_v2", GoogLeNet)
    assert MEASURES["inception-v3-factorises-and-reduces"]().verdict == "wrong"
    assert MEASURES["grid-reduction-in-parallel"]().verdict == "wrong"


def test_another_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = traced.recipe
    monkeypatch.setattr(traced, "recipe", lambda name: recipe(name).model_copy(update={"lr": 0.1, "batch_size": 64}))
    assert MEASURES["alexnet-recipe"]().verdict == "wrong"
    assert MEASURES["vgg-no-lrn"]().verdict == "wrong"
