"""The scale of the images that a net reads: unit variance, or 0 to 255 where local response normalisation asks for it.

AlexNet saw raw pixels of 0 to 255 with the mean taken off and nothing else done to them (section 2), and the constants
of its normalisation, k = 2 and alpha = 1e-4, were chosen there (section 3.3): with images of unit variance, alpha times
a sum of squares is some ten-thousandth of k, and the layer does nothing but divide by k ^ beta.
"""

from __future__ import annotations

import torch
from torch import nn

from ilsvrc_replay.layers.architecture import Architecture
from ilsvrc_replay.layers.blocks import LocalResponseNorm
from ilsvrc_replay.models.counting import count_depth
from ilsvrc_replay.packed.packed_data import Packed, Pixels


def has_paper_scale(net: nn.Module) -> bool:
    """Whether the constants of a layer of `net` ask for pixels of 0 to 255.

    Not after tanh: it keeps what is normalised within 1, whatever the images, and such images would saturate it.
    """
    kinds = {type(layer) for layer in net.modules()}
    responses = any(issubclass(kind, (LocalResponseNorm, nn.LocalResponseNorm)) for kind in kinds)
    return responses and nn.Tanh not in kinds


def pixels_for(
    net: nn.Module, architecture: Architecture, packed: Packed, device: torch.device | str = "cpu"
) -> Pixels:
    """What `net` is fed by, in training and tests alike: a library's own mean and deviation, or the training images'
    mean with 1 / 255 or their deviation."""
    pixels = packed.pixels(device, architecture.normalisation)
    if architecture.normalisation is None and has_paper_scale(net):
        return pixels._replace(std=torch.full_like(pixels.std, 1 / 255))
    return pixels


def initial_gain(net: nn.Module, architecture: Architecture, packed: Packed) -> float:
    """What every layer's weights are multiplied by, so that a net fed at the papers' scale starts with scores of the
    size that its rule of initialisation gives it for images of unit variance; 1 for other nets.

    A net of ReLUs without biases multiplies its scores by what its images are multiplied by, s. Each of its layers
    takes the same share of 1 / s, s ^ (-1 / depth): the first maps stay large, as the normalisation wants them.
    """
    if architecture.normalisation is not None or not has_paper_scale(net):
        return 1.0
    deviation = 255 * sum(packed.meta["std"]) / len(packed.meta["std"])
    depth = count_depth(net, packed.shape["image_size"], packed.shape["channels"])
    return deviation ** (-1 / depth)
