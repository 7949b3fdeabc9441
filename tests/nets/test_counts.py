"""The nets equal their papers: parameters, multiply-adds, depth and maps, as the papers' tables give them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ilsvrc_replay.layers.blocks import weighted_layers
from ilsvrc_replay.models import registry
from ilsvrc_replay.models.counting import count_depth, count_macs, count_parameters
from ilsvrc_replay.nets import families

# parameters, millions of multiply-adds at the published size, layers with weights
COUNTS = {
    "alexnet": (60_965_224, 724.4, 8),
    "zfnet": (62_357_608, 1168.0, 8),
    "zfnet_b": (107_627_624, 2476.7, 8),
    "vgg11": (132_863_336, 7609.1, 11),
    "vgg11_lrn": (132_863_336, 7609.1, 11),
    "vgg13": (133_047_848, 11_308.5, 13),
    "vgg13_5x5": (134_503_528, 9_356.0, 8),
    "vgg16_c": (133_638_952, 11_770.9, 16),
    "vgg16": (138_357_544, 15_470.3, 16),
    "vgg19": (143_667_240, 19_632.1, 19),
    "googlenet": (6_998_552, 1582.7, 22),
    "bn_inception": (11_285_224, 2032.6, 34),
    "inception_no_bn": (11_275_208, 2032.6, 34),
    "inception_v2": (23_928_904, 5767.8, 54),
    "inception_v3": (23_834_568, 5713.2, 48),
    "plain18": (11_515_688, 1794.8, 18),
    "plain34": (21_623_848, 3644.5, 34),
    "resnet18_a": (11_515_688, 1794.8, 18),
    "resnet18": (11_689_512, 1814.1, 18),
    "resnet34_a": (21_623_848, 3644.5, 34),
    "resnet34": (21_797_672, 3663.8, 34),
    "resnet34_c": (22_716_840, 3830.7, 34),
    "resnet50": (25_557_032, 3858.0, 50),
    "resnet101": (44_549_160, 7570.2, 101),
    "resnet152": (60_192_808, 11_282.4, 152),
    "plain20_cifar": (269_722, 40.6, 20),
    "plain32_cifar": (464_154, 68.9, 32),
    "plain44_cifar": (658_586, 97.2, 44),
    "plain56_cifar": (853_018, 125.5, 56),
    "plain110_cifar": (1_727_962, 252.9, 110),
    "resnet20_cifar": (269_722, 40.6, 20),
    "resnet32_cifar": (464_154, 68.9, 32),
    "resnet44_cifar": (658_586, 97.2, 44),
    "resnet56_cifar": (853_018, 125.5, 56),
    "resnet110_cifar": (1_727_962, 252.9, 110),
    "inception_v4": (42_679_816, 12_254.0, 76),
    "inception_resnet_v2": (55_843_464, 13_155.8, 176),
    "resnext50_32x4d": (25_028_904, 4230.5, 50),
    "densenet121": (7_978_856, 2834.2, 121),
    "mobilenet_v1": (4_231_976, 568.7, 28),
    "mobilenet_v2": (3_504_872, 300.8, 53),
}
# Output side of the layers on an image's way (AlexNet section 3.5, ZFNet figure 3, VGG table 1, GoogLeNet table 1,
# ResNet table 1 and section 4.2, Rethinking table 1).
MAPS = {
    "alexnet": {
        "features.conv1": 55,
        "features.norm1": 55,
        "features.pool1": 27,
        "features.conv2": 27,
        "features.pool2": 13,
        "features.conv3": 13,
        "features.conv4": 13,
        "features.conv5": 13,
        "features.pool5": 6,
    },
    "zfnet": {
        "features.conv1": 110,
        "features.pool1": 55,
        "features.conv2": 26,
        "features.pool2": 13,
        "features.conv3": 13,
        "features.conv4": 13,
        "features.conv5": 13,
        "features.pool5": 6,
    },
    "vgg16": {"features.4": 112, "features.9": 56, "features.16": 28, "features.23": 14, "features.30": 7},
    "googlenet": {
        "stem.0": 112,
        "stem.1": 56,
        "stem.4": 56,
        "stem.6": 28,
        "stage3.0": 28,
        "stage3.1": 28,
        "stage3": 14,
        "stage4a": 14,
        "stage4bcd": 14,
        "stage4e.0": 14,
        "stage4e": 7,
        "stage5.0": 7,
        "stage5": 7,
    },
    "bn_inception": {"stem.0": 112, "stem.1": 56, "stem.4": 28, "inception.2": 14, "inception.7": 7, "inception.9": 7},
    "inception_v2": {
        "stem.0": 149,
        "stem.1": 147,
        "stem.2": 147,
        "stem.3": 73,
        "stem.4": 71,
        "stem.5": 35,
        "stem.6": 35,
        "grid35": 17,
        "grid17": 8,
        "grid8": 8,
    },
    "resnet50": {"stem.0": 112, "stem.2": 56, "blocks.2": 56, "blocks.6": 28, "blocks.12": 14, "blocks.15": 7},
    "resnet110_cifar": {"stem.0": 32, "blocks.17": 32, "blocks.35": 16, "blocks.53": 8},
}
# AlexNet's and GoogLeNet's layers by their tables.
ALEXNET_PARAMETERS = (34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000)
INCEPTION_PARAMETERS = (163_696, 388_736, 376_176, 449_160, 510_104, 605_376, 868_352, 1_043_456, 1_444_080)


def on_meta(name: str) -> nn.Module:
    return registry.on_meta(registry.find(name))


def test_the_table_of_counts_covers_every_net() -> None:
    assert set(COUNTS) == set(families())


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_multiply_adds_and_depth_equal_the_published_ones(name: str) -> None:
    net, size = on_meta(name), registry.find(name).input_size
    parameters, mega_macs, depth = COUNTS[name]
    assert count_parameters(net) == parameters
    assert count_macs(net, size) / 1e6 == pytest.approx(mega_macs, abs=0.05)
    assert count_depth(net, size) == depth


@pytest.mark.parametrize("name", MAPS)
def test_maps_along_the_main_path(name: str) -> None:
    net, architecture, sides = on_meta(name), registry.find(name), {}
    for layer in MAPS[name]:
        net.get_submodule(layer).register_forward_hook(
            lambda _m, _i, output, layer=layer: sides.update({layer: output.shape[-1]})
        )
    side = architecture.input_size
    assert net(torch.empty(1, 3, side, side, device="meta")).shape == (1, architecture.classes)
    assert sides == MAPS[name]


def test_alexnet_layer_by_layer() -> None:
    layers = [layer for _, layer in weighted_layers(on_meta("alexnet"))]
    assert tuple(sum(p.numel() for p in layer.parameters()) for layer in layers) == ALEXNET_PARAMETERS
    assert [layer.groups for layer in layers[:5]] == [1, 2, 1, 2, 2]


def test_alexnet_normalises_before_it_pools() -> None:
    order = [type(layer).__name__ for layer in on_meta("alexnet").features[:4]]
    assert order == ["Conv2d", "ReLU", "LocalResponseNorm", "MaxPool2d"]


def test_vggs_two_odd_configurations() -> None:
    norms = [i for i, layer in enumerate(on_meta("vgg11_lrn").features) if type(layer).__name__ == "LocalResponseNorm"]
    assert norms == [2]
    kernels = [layer.kernel_size[0] for _, layer in weighted_layers(on_meta("vgg16_c"))[:13]]
    assert kernels == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


def test_googlenet_modules_and_auxiliary_classifiers() -> None:
    net = on_meta("googlenet")
    modules = [m for m in net.modules() if type(m).__name__ == "Inception"]
    assert tuple(sum(p.numel() for p in m.parameters()) for m in modules) == INCEPTION_PARAMETERS
    assert sum(p.numel() for p in net.parameters()) == 13_378_280
    assert net.auxiliary_weight == 0.3
    outputs = net.train()(torch.empty(2, 3, 224, 224, device="meta"))
    assert [tuple(output.shape) for output in outputs] == [(2, 1000)] * 3


def test_inception_v3s_auxiliary_classifier_trains_and_is_gone_at_test_time() -> None:
    net = on_meta("inception_v3")
    assert sum(p.numel() for p in net.parameters()) == 27_161_264
    assert net.auxiliary_weight == 0.4
    images = torch.empty(2, 3, 299, 299, device="meta")
    assert [tuple(output.shape) for output in net.train()(images)] == [(2, 1000)] * 2
    assert net.eval()(images).shape == (2, 1000)


def test_inception_v2_keeps_the_papers_borders() -> None:
    """Rethinking, table 1: 35x35x288, 17x17x768, 8x8x1280, 8x8x2048."""
    net, channels = on_meta("inception_v2"), []
    for layer in (net.stem, net.grid35, net.grid17, net.grid8):
        layer.register_forward_hook(lambda _m, _i, output: channels.append(output.shape[1]))
    net(torch.empty(1, 3, 299, 299, device="meta"))
    assert channels == [288, 768, 1280, 2048]


def test_option_a_shortcuts_have_no_parameters_and_pad_with_zeros() -> None:
    block = registry.find("resnet20_cifar").construct().blocks[3].eval()
    assert not list(block.shortcut.parameters())
    x = torch.rand(1, 16, 4, 4)
    padded = block.shortcut(x)
    assert torch.equal(padded[:, :16], x[:, :, ::2, ::2])
    assert padded.shape == (1, 32, 2, 2)
    assert not padded[:, 16:].any()


def test_plain_nets_are_residual_nets_without_shortcuts() -> None:
    plain, residual = on_meta("plain34"), on_meta("resnet34_a")
    assert [p.shape for p in plain.parameters()] == [p.shape for p in residual.parameters()]
    assert all(block.shortcut is None for block in plain.blocks)


def test_inception_v4_is_4_7_3_modules() -> None:
    kinds = [type(m).__name__ for m in on_meta("inception_v4").modules()]
    assert [kinds.count(f"Inception{letter}") for letter in "ABC"] == [4, 7, 3]
