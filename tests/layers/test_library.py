"""Any net of torchvision or timm, by name."""

from __future__ import annotations

import pytest
import torch

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.models.initial_weights import materialise
from ilsvrc_replay.models.registry import build, find

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("name", "size", "mean"),
    [
        ("torchvision/squeezenet1_1", 224, 0.485),
        ("torchvision/googlenet", 224, 0.485),
        ("torchvision/inception_v3", 299, 0.485),
        ("timm/resnet18.a1_in1k", 224, 0.485),
        ("timm/inception_v4", 299, 0.5),
        ("timm/efficientnet_b0", 224, 0.485),
    ],
)
def test_library_nets_build_for_the_data_and_bring_their_preprocessing(name: str, size: int, mean: float) -> None:
    architecture = find(name)
    assert architecture.input_size == size
    assert architecture.normalisation.mean[0] == mean
    net, factor = build(name, image_size=64, channels=1, classes=7)
    assert factor >= 1
    assert net.eval()(torch.empty(2, 1, 64, 64, device="meta")).shape == (2, 7)
    assert net.train()(torch.empty(2, 1, 64, 64, device="meta")).shape == (2, 7)


def test_library_nets_can_be_slim() -> None:
    net, _ = build("torchvision/resnet18", image_size=32, channels=3, classes=10, width=0.25)
    assert net.layer4[0].conv1.out_channels == 128


def test_a_library_net_starts_as_its_library_starts_it() -> None:
    architecture = find("timm/resnet18")
    net, _ = build("timm/resnet18", image_size=32, channels=1, classes=10)
    materialise(net, architecture, "paper", seed=3)
    assert all(torch.isfinite(p).all() for p in net.parameters())
    assert not net.layer1[0].bn2.weight.any()  # timm's residual blocks start as the identity
    assert net.layer1[0].conv1.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)  # and by fan-out
    assert net.conv1.weight.shape[1] == 1


def test_numbers_that_only_the_constructor_knows_survive() -> None:
    architecture = find("timm/vit_tiny_patch16_224")
    net, _ = build("timm/vit_tiny_patch16_224", image_size=224, channels=3, classes=10)
    materialise(net, architecture, "he", seed=0)
    assert 0 < net.pos_embed.std().item() < 0.1


def test_compact_by_itself_looks_past_convolutions_on_pooled_maps() -> None:
    """MobileNetV3's classifier is a convolution; the last one of SE-ResNet is a gate's."""
    assert build("timm/mobilenetv3_small_050", image_size=32, channels=1, classes=10)[1] == 4
    assert build("timm/seresnet18", image_size=32, channels=1, classes=10)[1] == 4
    with pytest.raises(StudyError, match="no compact leaves the last convolution 3 px of images of 2 px: compact can"):
        build("timm/seresnet18", image_size=2, channels=1, classes=10)


def test_a_net_whose_layers_cannot_be_scaled_or_shrunk_says_so() -> None:
    with pytest.raises(StudyError, match=r"width must be 1 for this net: its layer \S+ is a LayerNorm"):
        build("torchvision/convnext_tiny", image_size=64, channels=3, classes=10, width=0.5)
    with pytest.raises(StudyError, match="images of 32 px do not pass this net"):
        build("timm/vit_tiny_patch16_224", image_size=32, channels=3, classes=10)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision/resnet5", "nearest names are torchvision/resnet50, torchvision/"),
        ("timm/resnext50_32x4", "nearest names are timm/resnext50_32x4d"),
        ("timm/resnet18.a9_in1k", "nearest names are timm/resnet18.a"),
        ("tinm/resnet18", "there is no library 'tinm'; nets are called torchvision/<name> or timm/<name>"),
    ],
)
def test_an_unknown_library_net_is_answered_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        find(name)
