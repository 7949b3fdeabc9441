"""Layers and weight initialisations that several families share."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class LocalResponseNorm(nn.Module):
    """Local response normalisation across channels (AlexNet, section 3.3), the paper's constants by default.

    `b[i] = a[i] / (k + alpha * sum(a[j]^2 for j within n/2 of i)) ^ beta`, input and output of shape (N, C, H, W).
    Note: `torch.nn.LocalResponseNorm` divides alpha by n, the paper does not.
    """

    def __init__(self, n: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75) -> None:
        super().__init__()
        self.n, self.k, self.alpha, self.beta = n, k, alpha, beta

    def forward(self, x: Tensor) -> Tensor:
        at_least_single = x.to(torch.promote_types(x.dtype, torch.float32))  # bfloat16 holds no k + 1e-4
        return NormaliseAcrossChannels.apply(at_least_single, self.n, self.k, self.alpha, self.beta).to(x.dtype)

    def extra_repr(self) -> str:
        return f"n={self.n}, k={self.k}, alpha={self.alpha}, beta={self.beta}"


class NormaliseAcrossChannels(torch.autograd.Function):
    """The formula with its derivative written out: autograd's own takes over twice as long and more memory."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, n: int, k: float, alpha: float, beta: float) -> Tensor:
        denominator = window_sum(a * a, n).mul_(alpha).add_(k)
        scale = denominator.pow(-beta)
        ctx.save_for_backward(a, denominator, scale)
        ctx.constants = n, alpha, beta
        return a * scale

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """dL/da[i] = g[i] scale[i] - 2 alpha beta a[i] * sum(g[j] a[j] scale[j] / denominator[j] for j near i)"""
        a, denominator, scale = ctx.saved_tensors
        n, alpha, beta = ctx.constants
        shared = window_sum((gradient * a).mul_(scale).div_(denominator), n)
        return (gradient * scale).sub_(shared.mul_(a).mul_(2 * alpha * beta)), None, None, None, None


def window_sum(x: Tensor, n: int) -> Tensor:
    """The sum over the `n` channels around each channel of `x` (N, C, H, W), fewer at both ends."""
    total, channels = x.clone(), x.shape[1]
    for distance in range(1, min(n // 2, channels - 1) + 1):
        total[:, distance:] += x[:, : channels - distance]
        total[:, : channels - distance] += x[:, distance:]
    return total


def conv_bn(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | None = None
) -> nn.Sequential:
    """A convolution without bias, then batch normalisation; `padding` None keeps the map's size at stride 1."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    pads = (height // 2, width // 2) if padding is None else padding
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=pads, bias=False), nn.BatchNorm2d(outputs)
    )


def conv_bn_relu(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | None = None
) -> nn.Sequential:
    """`conv_bn`, then ReLU, as every convolution of the batch-normalised Inception nets."""
    return nn.Sequential(*conv_bn(inputs, outputs, kernel, stride, padding), nn.ReLU(inplace=True))


def weighted_layers(net: nn.Module) -> list[tuple[str, nn.Conv2d | nn.Linear]]:
    """The convolutions and fully connected layers of `net` with their names, in order of definition."""
    return [(name, m) for name, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def fan_in(layer: nn.Conv2d | nn.Linear) -> int:
    """Inputs that one output of `layer` sums over."""
    return layer.weight[0].numel()


# Each rule is made for images of unit variance; `gain` multiplies all weights and so fits it to those of another scale.


@torch.no_grad()
def init_he(net: nn.Module, gain: float = 1.0) -> None:
    """N(0, 2 / fan_in) weights and zero biases (He et al. 2015, "Delving deep into rectifiers", section 2.2)."""
    for _, layer in weighted_layers(net):
        nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / fan_in(layer)))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def init_glorot(net: nn.Module, gain: float = 1.0) -> None:
    """Uniform weights of variance 2 / (fan_in + fan_out) and zero biases (Glorot & Bengio 2010, equation 16)."""
    for _, layer in weighted_layers(net):
        nn.init.xavier_uniform_(layer.weight, gain=gain)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def init_orthogonal(net: nn.Module, gain: float = 1.0) -> None:
    """Orthogonal weights with He's gain for ReLU and zero biases (Saxe et al. 2013, "Exact solutions to the nonlinear
    dynamics of learning in deep linear neural networks"): deep nets without shortcuts learn sooner."""
    for _, layer in weighted_layers(net):
        nn.init.orthogonal_(layer.weight, gain=gain * (math.sqrt(2) if isinstance(layer, nn.Conv2d) else 1))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def init_truncated(net: nn.Module, gain: float = 1.0) -> None:
    """N(0, 0.1) weights cut off at two standard deviations, and zero biases.

    The Inception papers after 2014 do not say how their nets start; this is what their released code is remembered
    to do (not checked again).
    """
    for _, layer in weighted_layers(net):
        nn.init.trunc_normal_(layer.weight, std=0.1 * gain, a=-0.2 * gain, b=0.2 * gain)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
