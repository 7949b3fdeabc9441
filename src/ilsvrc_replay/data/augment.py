"""Augmentation of a batch of images on its device: pure functions of the images and of the draws that decide."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def random_crop(images: Tensor, pad: int, draws: Tensor) -> Tensor:
    """Pad (N, C, H, W) with `pad` black px on every side and cut out H x W at a random place; `draws` (N, 2)."""
    count, channels, height, width = images.shape
    padded = F.pad(images, (pad, pad, pad, pad))
    corner = (draws * (2 * pad + 1)).long()
    rows = corner[:, :1] + torch.arange(height, device=images.device)
    columns = corner[:, 1:] + torch.arange(width, device=images.device)
    image = torch.arange(count, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


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
