"""Layers and initial weights, against the papers' formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ilsvrc_replay.layers.blocks import LocalResponseNorm, weighted_layers
from ilsvrc_replay.models.initial_weights import materialise
from ilsvrc_replay.models.registry import build, find, on_meta
from ilsvrc_replay.nets import families


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


def test_alexnets_own_initialisation() -> None:
    net = materialise(on_meta(find("alexnet")), find("alexnet"), "paper", seed=0)
    layers = dict(weighted_layers(net))
    biases = {name.split(".")[1]: layer.bias.unique().tolist() for name, layer in layers.items()}
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert biases == {name: [1.0] if name in ones else [0.0] for name in biases}
    assert layers["classifier.fc7"].weight.std().item() == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("name", [name for name, family in families().items() if family == "resnet"])
def test_residual_nets_start_as_he_says(name: str) -> None:
    net, _ = build(name, image_size=32, channels=1, classes=10, width=0.25)
    materialise(net, find(name), "paper", seed=0)
    convs = [layer for _, layer in weighted_layers(net) if layer.weight.numel() > 4000]
    for conv in convs:
        assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / conv.weight[0].numel()), rel=0.1)
        assert conv.weight.mean().item() == pytest.approx(0, abs=0.1 * conv.weight.std().item())


def test_the_later_inceptions_start_truncated() -> None:
    net, _ = build("inception_v3", image_size=75, channels=3, classes=10, width=0.25)
    weights = materialise(net, find("inception_v3"), "paper", seed=0).Mixed_7b.branch1x1.conv.weight
    assert weights.abs().max() <= 0.2
    assert weights.std().item() == pytest.approx(0.088, rel=0.02)  # what is left of 0.1 between two deviations


def test_residual_blocks_can_start_as_the_identity_and_plain_ones_cannot() -> None:
    net = materialise(on_meta(find("resnet50")), find("resnet50"), "he", seed=0, zero_residuals=True).eval()
    x = torch.rand(1, 256, 4, 4)
    assert torch.equal(net.blocks[1](x), x)
    assert not torch.equal(net.blocks[0](x[:, :64]), x[:, :64])
    plain = materialise(on_meta(find("plain18")), find("plain18"), "he", seed=0, zero_residuals=True).eval()
    assert plain.blocks[1](x[:, :64]).any()


def test_the_norms_bias_spares_residual_blocks() -> None:
    def biased(name: str) -> set[str]:
        net = materialise(on_meta(find(name)), find(name), "he", seed=0, norm_bias=1.0)
        norms = {key: layer for key, layer in net.named_modules() if isinstance(layer, nn.BatchNorm2d)}
        return {key for key, layer in norms.items() if (layer.bias == 1).all()}

    assert biased("resnet18") == {"stem.0.1"}
    assert len(biased("bn_inception")) == 69


def test_orthogonal_weights_keep_lengths_up_to_the_gain() -> None:
    net = materialise(on_meta(find("resnet18")), find("resnet18"), "orthogonal", seed=0)
    weight = net.blocks[1].residual[0][0].weight.flatten(1)
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(64), atol=1e-4, rtol=0)


def test_hes_initialisation_keeps_the_variance() -> None:
    net = materialise(on_meta(find("vgg11")), find("vgg11"), "he", seed=0)
    conv = net.features[3]
    assert conv.weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert not conv.bias.any()
