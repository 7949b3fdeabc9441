"""What a net sees of a data set's images: augmented while training, the middle or the whole of them in the test."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay.input import augment, seeding
from ilsvrc_replay.input.batches import View
from ilsvrc_replay.packed.packed_data import Pixels
from ilsvrc_replay.run import Crop, Recipe

PLACE, COLOUR, LIGHT = range(3)  # what is drawn; the last word of a draw's address


def training_view(recipe: Recipe, pixels: Pixels, size: int, seed: int, count: int) -> View:
    """The recipe's augmentation, drawn by (seed, epoch, image) of `count` images, then pixels standardised by `pixels`:
    uint8 images (N, C, H, W) to (N, C, size, size)."""
    device = pixels.mean.device

    def drawn(draw: Callable[..., Tensor], columns: int, stream: int) -> Callable[[int], Tensor]:
        """An epoch's draws (count, columns), at once for all images: batch by batch, they take longer than what they
        decide."""

        def of_epoch(epoch: int) -> Tensor:
            return draw(count, columns, generator=seeding.generator(seed, epoch, stream)).to(device)

        return lru_cache(maxsize=1)(of_epoch)

    places, lights = drawn(torch.rand, 5, PLACE), drawn(torch.rand, 4, LIGHT)
    colours = drawn(torch.randn, len(pixels.mean), COLOUR)
    boxes = lru_cache(maxsize=1)(lambda epoch: boxes_of(recipe, size, places(epoch)))

    def view(images: Tensor, index: Tensor, epoch: int) -> Tensor:
        if resamples(recipe.crop, images.shape[-1], size):
            images = augment.cut(images, boxes(epoch).index_select(0, index), size)
        elif recipe.flip or recipe.crop.kind != "whole" or images.shape[-1] != size:
            place = places(epoch).index_select(0, index)
            images = cropped(images, recipe.crop, size, place[:, 1:])
            images = augment.random_flip(images, place[:, 0]) if recipe.flip else images
        images = images / 255
        if recipe.photometric:
            images = augment.photometric(images, recipe.photometric, lights(epoch).index_select(0, index))
        if recipe.pca_colour:
            alpha = recipe.pca_colour * colours(epoch).index_select(0, index)
            images = augment.pca_colour(images, pixels.pca_values, pixels.pca_vectors, alpha)
        return channels_last(pixels.standardise(images))

    return view


def resamples(crop: Crop, stored: int, size: int) -> bool:
    """Whether crops come from between the pixels of images stored at that side. Where it is the one side that the crop
    asks for, pixels are taken as they are."""
    asked = crop.kind == "resize" and stored > size and all(round(scale * size) == stored for scale in crop.scale)
    return crop.kind in ("resize", "area") and not asked


def boxes_of(recipe: Recipe, size: int, place: Tensor) -> Tensor:
    """Where resampled crops lie in their images, mirrored or not: (N, 4); `place` (N, 5) are draws."""
    crop = recipe.crop
    if crop.kind == "resize":
        boxes = augment.resized_boxes(crop.scale, size, place[:, 1:4])
    else:
        boxes = augment.area_boxes(crop.area, crop.aspect, place[:, 1:])
    return augment.mirrored(boxes, place[:, 0]) if recipe.flip else boxes


def cropped(images: Tensor, crop: Crop, size: int, draws: Tensor) -> Tensor:
    """Other crops, (N, C, size, size) on the scale 0..255; `draws` (N, 4)."""
    stored = images.shape[-1]
    if crop.kind == "resize":
        return augment.window(images, (draws[:, 1:3] * (stored - size + 1)).long().flip(1), (size, size))
    if stored != size:
        images = resized(images.float(), size)
    return augment.random_crop(images, round(crop.pad * size), draws[:, :2]) if crop.kind == "pad" else images


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
