"""What a net sees of a data set's images: augmented while training, as they are in the test."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ilsvrc_replay.data import augment, draws
from ilsvrc_replay.data.batches import View
from ilsvrc_replay.data.packing import Pixels
from ilsvrc_replay.params import Recipe


def training_view(recipe: Recipe, pixels: Pixels, image_size: int, seed: int) -> View:
    """The recipe's augmentation, drawn by (seed, epoch, image), then pixels standardised by `pixels`."""
    pad = round(recipe.crop_pad * image_size)

    def view(images: Tensor, index: Tensor, epoch: int) -> Tensor:
        place_and_mirror = draws.uniform(seed, epoch, index, 3)
        if pad:
            images = augment.random_crop(images, pad, place_and_mirror[:, :2])
        if recipe.flip:
            images = augment.random_flip(images, place_and_mirror[:, 2])
        images = images / 255
        if recipe.pca_colour:
            alpha = recipe.pca_colour * draws.normal(seed, epoch, index, len(pixels.mean), stream=1)
            images = augment.pca_colour(images, pixels.pca_values, pixels.pca_vectors, alpha)
        return channels_last(pixels.standardise(images))

    return view


def test_view(pixels: Pixels) -> Callable[[Tensor], Tensor]:
    """The packed images whole, standardised by `pixels`."""
    return lambda images: channels_last(pixels.standardise(images / 255))


def channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)  # the faster layout, on CPUs too
