from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from made_recipes import crop, recipe
from torch import Tensor

from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.input.views import training_view
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.run import Crop, Recipe

CROPS = [crop(kind="pad"), crop(kind="resize", scale=[1.14, 2.0]), crop(kind="area")]


def numbered(batch_size: int, interval: int, seed: int = 0) -> TrainingBatches:
    """Batches whose images are their own numbers."""
    index = torch.arange(20)
    return TrainingBatches(
        index, index, batch_size=batch_size, interval=interval, seed=seed, view=lambda images, _index, _epoch: images
    )


def stream(batches: TrainingBatches, intervals: int) -> list[list[int]]:
    result = []
    for _ in range(intervals):
        result += [images.tolist() for images, _ in batches]
    return result


def test_every_epoch_has_all_images_once_in_an_order_of_its_own() -> None:
    batches = stream(numbered(5, 4), 3)
    epochs = [[image for batch in batches[start : start + 4] for image in batch] for start in (0, 4, 8)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_stream_does_not_depend_on_where_it_is_cut() -> None:
    assert stream(numbered(5, 3), 4) == stream(numbered(5, 12), 1)


def test_it_can_start_anywhere() -> None:
    batches = numbered(5, 3)
    batches.next = 7
    assert len(batches) == 2
    assert [images.tolist() for images, _ in batches] == stream(numbered(5, 9), 1)[7:9]
    assert len(batches) == 3


def test_test_batches_hold_every_image_once() -> None:
    index = torch.arange(23)
    batches = OrderedBatches(index, index, batch_size=5, view=lambda images: images)
    seen = [images for images, _ in batches]
    assert len(seen) == len(batches) == 5
    assert torch.cat(seen).tolist() == list(range(23))


@pytest.mark.parametrize("crop", CROPS, ids=lambda crop: crop.kind)
def test_an_image_is_augmented_alike_in_every_batch(crop: Crop, packed: Packed) -> None:
    made = recipe(crop=crop, flip=True, pca_colour=0.1, photometric=0.4)
    view = training_view(made, packed.pixels(), 32, seed=5, count=1100)
    images, index = packed.images("train")[:64], torch.arange(64)
    together = view(images, index, 2)
    alone = torch.cat([view(images[i : i + 1], index[i : i + 1], 2) for i in range(64)])
    assert torch.equal(together, alone)
    assert not torch.equal(together, view(images, index, 3))
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as processes:  # each sees every second image
        halves = [processes.submit(seen, made, packed, slice(part, 64, 2)) for part in (0, 1)]
        assert all(torch.equal(half.result(), together[part::2]) for part, half in enumerate(halves))


def seen(recipe: Recipe, packed: Packed, part: slice) -> Tensor:
    view = training_view(recipe, packed.pixels(), 32, seed=5, count=1100)
    return view(packed.images("train")[:64][part], torch.arange(64)[part], 2)


def test_standardised_training_pixels_have_mean_0_and_deviation_1(packed: Packed) -> None:
    view = training_view(recipe(flip=False), packed.pixels(), 32, seed=0, count=1100)
    pixels: Tensor = view(packed.images("train"), torch.arange(1100), 0)
    assert abs(pixels.mean().item()) < 1e-4
    assert abs(pixels.std().item() - 1) < 1e-4


@pytest.mark.parametrize("crop", [*CROPS, crop()], ids=lambda crop: crop.kind)
@pytest.mark.parametrize("flip", [True, False])
def test_a_view_has_the_nets_size_whatever_is_stored(crop: Crop, flip: bool, packed: Packed) -> None:
    stored = packed.images("train")[:4]
    for size in (28, 32):
        view = training_view(recipe(crop=crop, flip=flip), packed.pixels(), size, seed=0, count=1100)
        assert view(stored, torch.arange(4), 0).shape[-2:] == (size, size)
