"""Augmentation of a batch of images on its device: pure functions of the images and of the draws that decide.

An image's view depends on its own draws alone, to the last bit, whatever else is in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as everywhere in image libraries
ORDERS = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))


def random_crop(images: Tensor, pad: int, draws: Tensor) -> Tensor:
    """Pad (N, C, H, W) with `pad` black px on every side and cut out H x W at a random place; `draws` (N, 2)."""
    padded = F.pad(images, (pad, pad, pad, pad))
    return window(padded, (draws * (2 * pad + 1)).long(), images.shape[-2:])


def window(images: Tensor, corner: Tensor, shape: Sequence[int]) -> Tensor:
    """Of each of (N, C, H, W) a part of `shape`, whose row and column of the upper left px are `corner` (N, 2)."""
    rows = corner[:, :1] + torch.arange(shape[0], device=images.device)
    columns = corner[:, 1:] + torch.arange(shape[1], device=images.device)
    image = torch.arange(len(images), device=images.device)[:, None, None, None]
    channel = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return images[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def resized_boxes(scale: Sequence[float], size: int, draws: Tensor) -> Tensor:
    """Where crops of `size` px lie in images that are resized to a side drawn from `scale` times `size` (VGG, section
    3.1): boxes (N, 4) of left, top, width and height in shares of the image; `draws` (N, 3) for scale and place.

    Corners lie on whole pixels of the resized image, so that one that is stored at that side is cut, not blurred.
    """
    low, high = scale
    side = ((low + (high - low) * draws[:, 0]) * size).round()
    left, top = ((draws[:, 1:] * (side - size + 1)[:, None]).floor() / side[:, None]).unbind(1)
    return torch.stack([left, top, size / side, size / side], dim=1)


def area_boxes(area: Sequence[float], aspect: Sequence[float], draws: Tensor) -> Tensor:
    """Rectangles with a share of the image drawn from `area` and a ratio of width to height drawn from `aspect`
    (GoogLeNet, section 6), evenly on a logarithmic scale: boxes (N, 4) as above; `draws` (N, 4).

    A side longer than the image is cut to it.
    """
    share = area[0] + (area[1] - area[0]) * draws[:, 0]
    ratio = torch.exp(math.log(aspect[0]) + math.log(aspect[1] / aspect[0]) * draws[:, 1])
    width, height = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    return torch.stack([draws[:, 2] * (1 - width), draws[:, 3] * (1 - height), width, height], dim=1)


def mirrored(boxes: Tensor, draws: Tensor) -> Tensor:
    """`boxes` (N, 4), each with probability one half to be read from right to left, as its negative width says; `draws`
    (N,)."""
    left, top, width, height = boxes.unbind(1)
    return torch.where(draws[:, None] < 0.5, torch.stack([left + width, top, -width, height], dim=1), boxes)


def cut(images: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The `boxes` (N, 4) of images (N, C, H, W), each bilinearly resampled to `size` x `size` px; float."""
    # In the coordinates of grid_sample, an image reaches from -1 to 1; these are the middles of `size` pixels. The grid
    # is affine_grid's, whose small matrix products take longer than the sampling; as two planes it is written faster.
    corner, extent = boxes[:, :2, None], boxes[:, 2:, None]
    middles = torch.linspace(-1, 1, size, device=images.device) * (size - 1) / size
    lines = extent * middles + (2 * corner + extent - 1)  # (N, 2, size): of columns, of rows
    grid = torch.stack(torch.broadcast_tensors(lines[:, 0, None, :], lines[:, 1, :, None])).movedim(0, -1)
    return F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)


def random_flip(images: Tensor, draws: Tensor) -> Tensor:
    """Mirror each of (N, C, H, W) left to right with probability one half; `draws` (N,)."""
    return torch.where(draws[:, None, None, None] < 0.5, images.flip(-1), images)


def pca_colour(images: Tensor, eigenvalues: Tensor, eigenvectors: Tensor, draws: Tensor) -> Tensor:
    """Add P (alpha * lambda) to every pixel of images (N, C, H, W) in [0, 1] (AlexNet, section 4.1).

    `eigenvalues` (C,) and `eigenvectors` (C, C), one a column, are those of the training pixels on the [0, 1] scale;
    `draws` (N, C) are alpha, N(0, 0.1) in the paper.
    """
    shift = (draws * eigenvalues) @ eigenvectors.T
    return images + shift[:, :, None, None]


def photometric(images: Tensor, strength: float, draws: Tensor) -> Tensor:
    """Change brightness, contrast and saturation of (N, C, H, W) in [0, 1], in random order (Howard 2013, "Some
    improvements on deep convolutional neural network based image classification", section 2.2).

    Each is a blend with factor U[1 - strength, 1 + strength]: with black, with the image's mean grey, with every
    pixel's own grey; grey images have no saturation. `draws` (N, 4) are the three factors and the order.
    """
    factors = 1 + strength * (2 * draws[:, :3] - 1)
    order = orders(images.device)[(draws[:, 3] * len(ORDERS)).long()]
    for place in range(3):
        change = order[:, place]
        factor = factors.gather(1, change[:, None])[:, :, None, None]
        change = change[:, None, None, None]
        pixel = grey(images)
        mean = pixel.mean((2, 3), keepdim=True)
        other = torch.where(change == 0, torch.zeros_like(pixel), torch.where(change == 1, mean, pixel))
        images = (factor * images + (1 - factor) * other).clamp(0, 1)
    return images


@cache
def orders(device: torch.device) -> Tensor:
    """Made once: to bring it to a GPU for every batch, the host would wait for all that the GPU has still to do."""
    return torch.tensor(ORDERS, device=device)


def grey(images: Tensor) -> Tensor:
    """The brightness of every pixel: (N, 3, H, W) or (N, 1, H, W) to (N, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    return sum(share * images[:, channel : channel + 1] for channel, share in enumerate(GREY))
