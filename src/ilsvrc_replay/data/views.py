"""What a net sees of a data set's images: augmented while training, the middle or the whole of them in the test."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay.data import augment, draws
from ilsvrc_replay.data.batches import View
from ilsvrc_replay.data.packing import Pixels
from ilsvrc_replay.params import Crop, Recipe

PLACE, COLOUR, LIGHT = range(3)  # streams of draws


def training_view(recipe: Recipe, pixels: Pixels, size: int, seed: int) -> View:
    """The recipe's augmentation, drawn by (seed, epoch, image), then pixels standardised by `pixels`: uint8 images
    (N, C, H, W) to (N, C, size, size)."""

    def view(images: Tensor, index: Tensor, epoch: int) -> Tensor:
        if recipe.flip or recipe.crop.kind != "whole" or images.shape[-1] != size:
            place = draws.uniform(seed, epoch, index, 5, PLACE)
            images = cropped(images, recipe.crop, size, place[:, 1:])
            images = augment.random_flip(images, place[:, 0]) if recipe.flip else images
        images = images / 255
        if recipe.photometric:
            images = augment.photometric(images, recipe.photometric, draws.uniform(seed, epoch, index, 4, LIGHT))
        if recipe.pca_colour:
            alpha = recipe.pca_colour * draws.normal(seed, epoch, index, len(pixels.mean), COLOUR)
            images = augment.pca_colour(images, pixels.pca_values, pixels.pca_vectors, alpha)
        return channels_last(pixels.standardise(images))

    return view


def cropped(images: Tensor, crop: Crop, size: int, draws: Tensor) -> Tensor:
    """Training crops (N, C, size, size) on the scale 0..255; `draws` (N, 4). Where images are stored at the one side
    that the crop asks for, it takes pixels as they are."""
    stored = images.shape[-1]
    if crop.kind == "resize" and stored > size and all(round(scale * size) == stored for scale in crop.scale):
        return augment.window(images, (draws[:, 1:3] * (stored - size + 1)).long().flip(1), (size, size))
    if crop.kind in ("whole", "pad") and stored != size:
        images = resized(images.float(), size)
    if crop.kind == "pad":
        return augment.random_crop(images, round(crop.pad * size), draws[:, :2])
    if crop.kind == "resize":
        return augment.cut(images, augment.resized_boxes(crop.scale, size, draws[:, :3]), size)
    if crop.kind == "area":
        return augment.cut(images, augment.area_boxes(crop.area, crop.aspect, draws), size)
    return images


def test_view(pixels: Pixels, size: int, scale: float = 1.0) -> Callable[[Tensor], Tensor]:
    """The middle `size` x `size` px of images resized to `scale` times that side, standardised by `pixels`."""
    return lambda images: standardised(centre(resized(images / 255, round(scale * size)), size), pixels)


def resized(images: Tensor, side: int) -> Tensor:
    """Square images (N, C, S, S) resized to `side` px, bilinearly and antialiased."""
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)


def centre(images: Tensor, size: int) -> Tensor:
    start = (images.shape[-1] - size) // 2
    return images[..., start : start + size, start : start + size]


def standardised(images: Tensor, pixels: Pixels) -> Tensor:
    """What a net reads: images on the [0, 1] scale, standardised, in the faster memory layout, on CPUs too."""
    return channels_last(pixels.standardise(images))


def channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
