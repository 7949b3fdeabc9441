"""What a net sees is what the recipe says, put together here image by image."""

from __future__ import annotations

import pytest
import torch
from made_recipes import crop, recipe
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay.input import augment, seeding, views
from ilsvrc_replay.packed.packed_data import Packed, Pixels
from ilsvrc_replay.run import Crop

SEED, EPOCH, COUNT, STORED = 5, 3, 1100, 32
INDEX = torch.tensor([7, 0, 1099, 512, 33, 34])
PIXELS = Pixels(
    mean=torch.tensor([0.4, 0.5, 0.6]),
    std=torch.tensor([0.2, 0.25, 0.3]),
    pca_values=torch.tensor([0.05, 0.01, 0.002]),
    pca_vectors=torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q,
)


def images(count: int = len(INDEX)) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, STORED, STORED), generator=generator, dtype=torch.uint8)


def draws(kind: str, columns: int, stream: int) -> Tensor:
    draw = {"uniform": torch.rand, "normal": torch.randn}[kind]
    return draw(COUNT, columns, generator=seeding.generator(SEED, EPOCH, stream))[INDEX]


def shown(size: int, **values: object) -> Tensor:
    view = views.training_view(recipe(**values), PIXELS, size, SEED, COUNT)
    return view(images(), INDEX, EPOCH)


def standardised(seen: Tensor) -> Tensor:
    return (seen - PIXELS.mean[:, None, None]) / PIXELS.std[:, None, None]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(
    ("size", "chosen"),
    [
        (32, crop()),
        (28, crop()),
        (32, crop(kind="pad", pad=0.25)),
        (28, crop(kind="pad", pad=0.125)),
        (28, crop(kind="resize", scale=[32 / 28, 32 / 28])),
        (28, crop(kind="resize", scale=[1.2, 1.9])),
        (32, crop(kind="resize", scale=[1.0, 1.0])),
        (28, crop(kind="area", area=[0.2, 0.9], aspect=[0.75, 1.333])),
    ],
    ids=lambda value: value.kind if isinstance(value, Crop) else str(value),
)
def test_crops_and_mirror_images_are_drawn_by_the_image_and_the_epoch(size: int, chosen: Crop, flip: bool) -> None:
    place = draws("uniform", 5, views.PLACE)
    expected = []
    for image, (half, *at) in zip(images(), place, strict=True):
        if chosen.kind == "resize" and all(round(scale * size) == STORED for scale in chosen.scale) and size < STORED:
            column, row = (int(draw * (STORED - size + 1)) for draw in at[1:3])
            seen = image[:, row : row + size, column : column + size].float()
        elif chosen.kind == "resize":
            boxes = augment.resized_boxes(chosen.scale, size, torch.stack(at[:3])[None])
            seen = augment.cut(image[None], boxes, size)[0]
        elif chosen.kind == "area":
            boxes = augment.area_boxes(chosen.area, chosen.aspect, torch.stack(at)[None])
            seen = augment.cut(image[None], boxes, size)[0]
        else:
            seen = image.float() if size == STORED else smaller(image, size)
            if chosen.kind == "pad":
                seen = augment.random_crop(seen[None], round(chosen.pad * size), torch.stack(at[:2])[None])[0]
        expected.append(seen.flip(-1) if flip and half < 0.5 else seen)
    wanted = standardised(torch.stack(expected) / 255)
    torch.testing.assert_close(shown(size, crop=chosen, flip=flip), wanted, atol=2e-4, rtol=0)
    assert (place[:, 0] < 0.5).any() and (place[:, 0] >= 0.5).any()  # the test sees both


def smaller(image: Tensor, size: int) -> Tensor:
    return F.interpolate(image[None].float(), size=(size, size), mode="bilinear", antialias=True)[0]


def test_light_changes_before_colour_and_both_before_pixels_are_standardised() -> None:
    lit = augment.photometric(images() / 255, 0.4, draws("uniform", 4, views.LIGHT))
    alpha = 0.1 * draws("normal", 3, views.COLOUR)
    coloured = augment.pca_colour(lit, PIXELS.pca_values, PIXELS.pca_vectors, alpha)
    seen = shown(STORED, flip=False, photometric=0.4, pca_colour=0.1)
    torch.testing.assert_close(seen, standardised(coloured), atol=1e-5, rtol=0)
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_a_test_image_is_resized_and_its_middle_cut_out() -> None:
    seen = views.test_view(PIXELS, 20, scale=1.2)(images())  # resized to 24 px, of which 2 go on every side
    resized = torch.stack([smaller(image, 24) for image in images()])
    torch.testing.assert_close(seen, standardised(resized[..., 2:22, 2:22] / 255), atol=1e-4, rtol=0)
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_a_test_image_stored_at_the_resized_side_is_only_cut() -> None:
    seen = views.test_view(PIXELS, 28, scale=32 / 28)(images())
    torch.testing.assert_close(seen, standardised(images()[..., 2:30, 2:30] / 255))


def test_the_packed_statistics_are_those_of_what_is_seen_without_augmentation(packed: Packed) -> None:
    seen = views.test_view(packed.pixels(), 32)(packed.images("train"))
    assert abs(seen.mean().item()) < 1e-4
    assert abs(seen.std().item() - 1) < 1e-4
