"""Dense evaluation: a net slides over a larger image as a convolution does; its scores are averaged over all places.

VGG, section 3.2; "as in VGG" in ResNet, section 3.4.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def dense(net: nn.Module, size: int) -> Callable[[Tensor], Tensor]:
    """The fully convolutional form of `net`, which reads `size` px: it maps images (N, C, H, W) of at least that
    size to class scores (N, K), averaged over all places of the net's window.

    Fully connected layers become convolutions; an average over the whole map becomes one over a sliding window as
    large as the map that the net was trained on, 7 x 7 at 224 px.
    """
    if hasattr(net, "classifier"):
        channels = [layer.out_channels for layer in net.features if isinstance(layer, nn.Conv2d)][-1]
        return nn.Sequential(net.features, *convolutional(net.classifier, channels), SpatialMean())
    first = next(net.parameters())
    probe = torch.zeros(1, first.shape[1], size, size, device=first.device)
    with torch.inference_mode():
        window = net.features(probe).shape[-1]
    return lambda images: net.fc(F.avg_pool2d(net.features(images), window, stride=1).mean((2, 3)))


class SpatialMean(nn.Module):
    """Scores (N, K, H, W) averaged over their places."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.mean((2, 3))


def convolutional(classifier: nn.Sequential, channels: int) -> list[nn.Module]:
    """The layers of `classifier`, which reads a flattened map of `channels`, as convolutions: the first as large as
    that map, the others 1 x 1."""
    layers: list[nn.Module] = []
    for layer in classifier:
        if isinstance(layer, nn.Linear):
            side = round((layer.in_features / channels) ** 0.5)
            conv = nn.Conv2d(channels, layer.out_features, side, device=layer.weight.device)
            conv.weight, conv.bias = nn.Parameter(layer.weight.detach().view_as(conv.weight)), layer.bias
            layers.append(conv)
            channels = layer.out_features
        elif not isinstance(layer, nn.Flatten):
            layers.append(layer)
    return layers
