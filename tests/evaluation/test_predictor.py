"""Views are where the papers put them, and their averages what a slow loop gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.vgg import VGG
from torch import Tensor, nn

from ilsvrc_replay import params
from ilsvrc_replay.evaluation import crops
from ilsvrc_replay.evaluation.crops import Box
from ilsvrc_replay.evaluation.dense import dense
from ilsvrc_replay.evaluation.predictor import Predictor, predict
from ilsvrc_replay.evaluation.protocols import OTHER_IMAGES, PROTOCOLS, parse
from ilsvrc_replay.models.initial_weights import materialise
from ilsvrc_replay.models.registry import build, find
from ilsvrc_replay.packed.packed_data import Packed


def net_for(name: str, packed: Packed, width: float = 0.125, compact: int | str = "auto") -> nn.Module:
    net, _ = build(name, **packed.shape, width=width, compact_factor=compact)
    return materialise(net, find(name), "he", seed=0).eval()


@pytest.mark.parametrize(
    ("boxes", "left", "right"),
    [(crops.ten_crop_of_square, 42, 74), (crops.ten_crop, 0, 117)],
    ids=["AlexNet: of the middle square", "later: of the rectangle"],
)
def test_ten_crops_take_the_corners_and_the_middle(boxes: Callable[..., list], left: int, right: int) -> None:
    corners = [(top, side) for top in (0, 32) for side in (left, right)]
    assert boxes(256, 341, 224) == [Box(*place, 224) for place in [*corners, (16, 58)]]


def test_googlenets_144_crops() -> None:
    found = [box for side in (256, 288, 320, 352) for box in crops.crops_144(side, round(side * 4 / 3), 224)]
    assert 2 * len(found) == 144  # with mirror images
    assert found[:6] == [
        Box(0, 0, 224),
        Box(0, 32, 224),
        Box(32, 0, 224),
        Box(32, 32, 224),
        Box(16, 16, 224),
        Box(0, 0, 256),
    ]
    assert [box for box in found if box.side == 288] == [Box(0, 0, 288), Box(0, 48, 288), Box(0, 96, 288)]
    portrait = crops.crops_144(341, 256, 224)
    assert [box for box in portrait if box.side == 256] == [Box(0, 0, 256), Box(42, 0, 256), Box(85, 0, 256)]


def test_vggs_150_crops_are_regular_grids() -> None:
    grid = crops.crops_150(256, 384, 224)
    assert 2 * 3 * len(grid) == 150
    assert sorted({box.top for box in grid}) == [0, 8, 16, 24, 32]
    assert sorted({box.left for box in grid}) == [0, 40, 80, 120, 160]


@pytest.mark.parametrize("protocol", ["single_crop", "ten_crop", "crops_144"])
def test_the_average_equals_a_slow_loop_over_pils_crops(protocol: str, packed: Packed) -> None:
    net = net_for("alexnet", packed)
    images = packed.images("test")[:3]
    predictor = Predictor(net, packed.pixels(), 32, test_scale=256 / 224)
    result = predict(predictor, protocol, images, batch_size=2)
    expected = torch.stack([slowly(net, packed, protocol, image) for image in images])
    torch.testing.assert_close(result, expected, atol=4e-3, rtol=0)  # PIL rounds to whole grey values
    assert (
        result - net(packed.pixels().standardise(images / 255)).softmax(1)
    ).abs().max() > 1e-2  # not the whole image


@torch.inference_mode()
def slowly(net: nn.Module, packed: Packed, protocol: str, image: Tensor) -> Tensor:
    """One image, one crop at a time, as the papers describe it; sides of 256, 288 ... px to a 32 px net's."""
    picture, views = Image.fromarray(image[0].numpy()), []
    scales = {"single_crop": [256], "ten_crop": [256], "crops_144": [256, 288, 320, 352]}[protocol]
    for scale in scales:
        side = round(scale / 224 * 32)
        larger = picture.resize((side, side), Image.Resampling.BILINEAR)
        free = side - 32
        corners = [(0, 0), (free, 0), (0, free), (free, free)] if protocol != "single_crop" else []
        for left, top in [*corners, (free // 2, free // 2)]:
            views.append(larger.crop((left, top, left + 32, top + 32)))
        if protocol == "crops_144":
            views.append(larger.resize((32, 32), Image.Resampling.BILINEAR))
    if protocol != "single_crop":
        views += [view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for view in views]
    batch = torch.stack([torch.from_numpy(np.array(view))[None] for view in views]) / 255
    return net(packed.pixels().standardise(batch)).softmax(1).mean(0)


def test_dense_vgg_is_timms_fully_convolutional_forward() -> None:
    """timm's VGG has convolutions for the first fully connected layers and averages over places before the last."""
    net, _ = build("vgg11", image_size=64, channels=3, classes=10, width=0.125, compact_factor=1)
    materialise(net, find("vgg11"), "he", seed=0).eval()
    layout = (8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M")
    theirs = VGG(cfg=layout, num_classes=10).eval()
    theirs.pre_logits.fc1 = nn.Conv2d(64, 512, 2)
    theirs.pre_logits.fc2 = nn.Conv2d(512, 512, 1)
    theirs.pre_logits.input_kernel_size = 2
    theirs.head.fc = nn.Linear(512, 10)
    ours = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    others = [layer for layer in theirs.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    for layer, other in zip(ours, others, strict=True):
        other.weight.data = layer.weight.data.view_as(other.weight)
        other.bias.data = layer.bias.data
    images = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0)).double()
    net, theirs = net.double(), theirs.double()
    with torch.no_grad():
        expected, result = theirs(images), dense(net, 64)(images)
        assert net.features(images).shape[-1] == 5  # four by four places of a window of two
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18"])
def test_dense_is_the_mean_over_every_place_of_the_window(name: str, packed: Packed) -> None:
    net = net_for(name, packed, compact=2 if name != "alexnet" else 4)
    with torch.no_grad():
        images = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
        maps = net.features(images)
        window = net.features(images[..., :32, :32]).shape[-1]
        places = range(maps.shape[-1] - window + 1)
        head = net.classifier if hasattr(net, "classifier") else lambda part: net.fc(part.mean((2, 3)))
        slow = [head(maps[..., top : top + window, left : left + window]) for top in places for left in places]
        assert len(slow) > 1
        torch.testing.assert_close(dense(net, 32)(images), torch.stack(slow).mean(0), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["alexnet", "resnet50"])
def test_dense_at_the_nets_own_size_is_the_net(name: str, packed: Packed) -> None:
    net = net_for(name, packed)
    with torch.no_grad():
        images = packed.pixels().standardise(packed.images("test")[:4] / 255)
        torch.testing.assert_close(dense(net, 32)(images), net(images), atol=1e-5, rtol=1e-4)


def test_scales_and_mirror_images_of_dense_are_averaged(packed: Packed) -> None:
    net, images = net_for("vgg16", packed, compact=2), packed.images("test")[:2]
    result = predict(Predictor(net, packed.pixels(), 32, 1.0), "dense_3_scales", images, 2)
    parts = []
    with torch.no_grad():
        for side in (37, 55, 73):  # 256, 384 and 512 px for a net of 224
            larger = nn.functional.interpolate(images / 255, size=(side, side), mode="bilinear", antialias=True)
            for view in (larger, larger.flip(-1)):
                parts.append(dense(net, 32)(packed.pixels().standardise(view)).softmax(1))
    torch.testing.assert_close(result, torch.stack(parts).mean(0), atol=1e-5, rtol=1e-5)


def test_every_protocol_of_the_schema_is_defined() -> None:
    assert {"single_crop", *OTHER_IMAGES, *PROTOCOLS} == set(params.PROTOCOLS)


def test_a_protocol_can_take_the_first_images_alone() -> None:
    assert parse("ten_crop@1000") == ("ten_crop", 1000)
    assert parse("ten_crop") == ("ten_crop", None)
