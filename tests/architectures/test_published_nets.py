"""The nets equal their papers: parameters, multiply-adds and maps, as published-figure tables give them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ilsvrc_replay.architectures.counting import count_macs, count_parameters
from ilsvrc_replay.architectures.layers import LocalResponseNorm, weighted_layers
from ilsvrc_replay.architectures.registry import architectures, find
from ilsvrc_replay.architectures.weights import materialise

# parameters, millions of multiply-adds at 224 px
COUNTS = {
    "alexnet": (60_965_224, 724.4),
    "zfnet": (62_357_608, 1168.0),
    "vgg16": (138_357_544, 15_470.3),
    "googlenet": (6_998_552, 1582.7),
    "resnet50": (25_557_032, 3858.0),
}
# Output side of the layers on an image's way (AlexNet section 3.5, ZFNet figure 3, GoogLeNet table 1, ResNet table 1).
MAPS = {
    "alexnet": {
        "features.conv1": 55,
        "features.pool1": 27,
        "features.conv2": 27,
        "features.pool2": 13,
        "features.conv3": 13,
        "features.conv5": 13,
        "features.pool5": 6,
    },
    "zfnet": {
        "features.conv1": 110,
        "features.pool1": 55,
        "features.conv2": 26,
        "features.pool2": 13,
        "features.conv5": 13,
        "features.pool5": 6,
    },
    "vgg16": {"features.4": 112, "features.9": 56, "features.16": 28, "features.23": 14, "features.30": 7},
    "googlenet": {"stem.0": 112, "stem.1": 56, "stem.6": 28, "stage3": 14, "stage4bcd": 14, "stage4e": 7, "stage5": 7},
    "resnet50": {"conv1": 112, "pool1": 56, "blocks.2": 56, "blocks.6": 28, "blocks.12": 14, "blocks.15": 7},
}
# AlexNet's and GoogLeNet's layers by their tables.
ALEXNET_PARAMETERS = (34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000)
INCEPTION_PARAMETERS = (163_696, 388_736, 376_176, 449_160, 510_104, 605_376, 868_352, 1_043_456, 1_444_080)


def on_meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return find(name)[1].construct()


def test_the_table_of_counts_covers_every_net() -> None:
    assert set(COUNTS) == set(architectures())


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_and_multiply_adds_equal_the_published_ones(name: str) -> None:
    net = on_meta(name)
    parameters, mega_macs = COUNTS[name]
    assert count_parameters(net) == parameters
    assert count_macs(net, find(name)[1].input_size) / 1e6 == pytest.approx(mega_macs, abs=0.05)


@pytest.mark.parametrize("name", MAPS)
def test_maps_along_the_main_path(name: str) -> None:
    net, sides = on_meta(name).eval(), {}
    for layer in MAPS[name]:
        net.get_submodule(layer).register_forward_hook(
            lambda _m, _i, output, layer=layer: sides.update({layer: output.shape[-1]})
        )
    assert net(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 1000)
    assert sides == MAPS[name]


def test_alexnet_layer_by_layer() -> None:
    layers = [layer for _, layer in weighted_layers(on_meta("alexnet"))]
    assert tuple(sum(p.numel() for p in layer.parameters()) for layer in layers) == ALEXNET_PARAMETERS
    assert [layer.groups for layer in layers[:5]] == [1, 2, 1, 2, 2]


def test_alexnet_normalises_before_it_pools() -> None:
    order = [type(layer).__name__ for layer in on_meta("alexnet").features[:4]]
    assert order == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]


def test_googlenet_modules_and_auxiliary_classifiers() -> None:
    net = on_meta("googlenet")
    modules = [m for m in net.modules() if type(m).__name__ == "Inception"]
    assert tuple(sum(p.numel() for p in m.parameters()) for m in modules) == INCEPTION_PARAMETERS
    assert sum(p.numel() for p in net.parameters()) == 13_378_280
    assert net.auxiliary_weight == 0.3
    outputs = net.train()(torch.empty(2, 3, 224, 224, device="meta"))
    assert [tuple(output.shape) for output in outputs] == [(2, 1000)] * 3


def test_local_response_norm_equals_the_papers_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(2, 7, 3, 3, generator=generator, dtype=torch.float64) * 20
    expected = torch.empty_like(a)
    for i in range(7):
        total = sum(a[:, j] ** 2 for j in range(max(0, i - 2), min(6, i + 2) + 1))
        expected[:, i] = a[:, i] / (2 + 1e-4 * total) ** 0.75
    torch.testing.assert_close(LocalResponseNorm()(a), expected, rtol=1e-12, atol=1e-12)
    library = F.local_response_norm(a, 5, alpha=5e-4, beta=0.75, k=2)  # torch divides alpha by n
    torch.testing.assert_close(LocalResponseNorm()(a), library, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 2, 3, 7])
def test_local_response_norm_has_the_right_gradient(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(1, channels, 2, 2, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(LocalResponseNorm(alpha=0.1), (a,))


def test_resnet50_equals_torchvisions_with_the_stride_moved() -> None:
    from torchvision.models import resnet50

    torch.manual_seed(0)
    theirs = resnet50().eval()
    for block in theirs.modules():
        if type(block).__name__ == "Bottleneck":
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    ours = find("resnet50")[1].construct().eval()
    # Same layers in the same order, but for the shortcut, which torchvision defines last in its block, as we do.
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_alexnets_own_initialisation() -> None:
    net = materialise(on_meta("alexnet"), find("alexnet")[1], "paper", seed=0)
    layers = dict(weighted_layers(net))
    biases = {name.split(".")[1]: layer.bias.unique().tolist() for name, layer in layers.items()}
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert biases == {name: [1.0] if name in ones else [0.0] for name in biases}
    assert layers["classifier.fc7"].weight.std().item() == pytest.approx(0.01, rel=0.01)


def test_residual_blocks_can_start_as_the_identity() -> None:
    net = materialise(on_meta("resnet50"), find("resnet50")[1], "he", seed=0, zero_residuals=True).eval()
    x = torch.rand(1, 256, 4, 4)
    assert torch.equal(net.blocks[1](x), x)
    assert not torch.equal(net.blocks[0](x[:, :64]), x[:, :64])


def test_hes_initialisation_keeps_the_variance() -> None:
    net = materialise(on_meta("vgg16"), find("vgg16")[1], "he", seed=0)
    conv = net.features[2]
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert not conv.bias.any()
