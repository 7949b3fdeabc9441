from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ImageEnhance import Brightness, Color, Contrast
from torch.nn import functional as F

from ilsvrc_replay.input import augment


def test_random_crop_cuts_where_the_draws_say() -> None:
    images = torch.arange(2 * 3 * 4 * 4, dtype=torch.uint8).reshape(2, 3, 4, 4)
    draws = torch.tensor([[0.0, 0.99], [0.5, 0.5]])  # top right corner; the middle
    result = augment.random_crop(images, 2, draws)
    padded = F.pad(images, (2, 2, 2, 2))
    assert torch.equal(result[0], padded[0, :, 0:4, 4:8])
    assert torch.equal(result[1], images[1])


def test_random_flip_mirrors_the_chosen_half() -> None:
    images = torch.arange(8).reshape(2, 1, 2, 2)
    result = augment.random_flip(images, torch.tensor([0.49, 0.5]))
    assert result.tolist() == [[[[1, 0], [3, 2]]], [[[4, 5], [6, 7]]]]


def test_pca_colour_adds_the_papers_sum() -> None:
    images = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    values = torch.tensor([0.2175, 0.0188, 0.0045])
    vectors = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q
    alpha = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.0, 0.0]])
    result = augment.pca_colour(images, values, vectors, alpha)
    shift = sum(alpha[0, i] * values[i] * vectors[:, i] for i in range(3))
    torch.testing.assert_close(result[0], images[0] + shift[:, None, None])
    assert torch.equal(result[1], images[1])


def test_resized_crops_lie_on_whole_pixels_inside_the_resized_image() -> None:
    draws = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0))
    left, top, width, height = (augment.resized_boxes((256 / 224, 480 / 224), 224, draws)).unbind(1)
    side = 224 / width
    assert torch.equal(width, height)
    assert 256 <= side.min() < 258
    assert 478 < side.max() <= 480.01
    for corner in (left, top):
        torch.testing.assert_close(corner * side, (corner * side).round(), atol=1e-3, rtol=0)
        assert corner.min() == 0
        assert ((corner + width) * side).max() <= side.max() + 1e-3
    assert ((left + width) > 0.999).any()


def test_crops_lie_where_an_affine_map_puts_them() -> None:
    images = torch.rand(3, 2, 20, 30)
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.25, 0.5, 0.5, 0.25], [0.1, 0.3, 0.7, 0.6]])
    maps = torch.stack([torch.tensor([[w, 0, 2 * x + w - 1], [0, h, 2 * y + h - 1]]) for x, y, w, h in boxes])
    grid = F.affine_grid(maps, [3, 2, 16, 16], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(augment.cut(images, boxes, 16), expected)


def test_a_crop_of_an_image_stored_at_that_side_is_cut_and_not_blurred() -> None:
    images = torch.randint(0, 256, (2, 3, 256, 256), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    draws = torch.tensor([[0.5, 0.0, 0.999], [0.5, 0.5, 0.2]])
    cut = augment.cut(images, augment.resized_boxes((256 / 224, 256 / 224), 224, draws), 224)
    torch.testing.assert_close(cut[0], images[0, :, 32:, :224].float(), atol=0.02, rtol=0)
    torch.testing.assert_close(cut[1], images[1, :, 6:230, 16:240].float(), atol=0.02, rtol=0)


def test_area_crops_have_the_share_and_the_ratio_that_googlenet_states() -> None:
    draws = torch.rand(5000, 4, generator=torch.Generator().manual_seed(0))
    left, top, width, height = augment.area_boxes((0.08, 1.0), (3 / 4, 4 / 3), draws).unbind(1)
    whole = (width < 1) & (height < 1)  # not cut to the image
    share, ratio = (width * height)[whole], (width / height)[whole]
    assert 0.08 <= share.min() < 0.09
    assert 0.749 <= ratio.min() < 0.76
    assert 1.31 < ratio.max() <= 1.334
    assert (ratio > 1).float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert left.min() >= 0 and top.min() >= 0
    assert (left + width).max() <= 1.00001 and (top + height).max() <= 1.00001


def test_a_mirrored_box_reads_the_same_pixels_from_right_to_left() -> None:
    images = torch.rand(4, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.1, 0.3, 0.7, 0.6]]).repeat(4, 1)
    seen = augment.cut(images, augment.mirrored(boxes, torch.tensor([0.0, 0.499, 0.5, 0.999])), 16)
    plain = augment.cut(images, boxes, 16)
    torch.testing.assert_close(seen, torch.cat([plain[:2].flip(-1), plain[2:]]))
    assert not torch.allclose(seen[:2], plain[:2], atol=0.05)


def test_a_cut_equals_pils_resampling() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    box = torch.tensor([[0.2, 0.1, 0.5, 0.7]])  # left, top, width, height
    cut = augment.cut(torch.from_numpy(pixels)[None, None], box, 32)
    corners = (0.2 * 20, 0.1 * 20, 0.7 * 20, 0.8 * 20)
    expected = Image.fromarray(pixels).transform((32, 32), Image.Transform.EXTENT, corners, Image.Resampling.BILINEAR)
    torch.testing.assert_close(cut[0, 0], torch.from_numpy(np.array(expected)).float(), atol=1.01, rtol=0)


def test_photometric_changes_are_pils_one_after_the_other() -> None:
    pixels = np.random.default_rng(0).integers(60, 180, (8, 8, 3), dtype=np.uint8)
    factors = (1.2, 0.7, 1.3)
    draws = torch.tensor([[(factor - 1) / 0.4 / 2 + 0.5 for factor in factors] + [0.0]])  # brightness first
    changed = augment.photometric(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, 0.4, draws)
    image = Image.fromarray(pixels)
    for kind, factor in zip((Brightness, Contrast, Color), factors, strict=True):
        image = kind(image).enhance(factor)
    expected = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    torch.testing.assert_close(changed[0], expected, atol=0.02, rtol=0)


def test_the_order_of_photometric_changes_is_drawn() -> None:
    assert sorted(augment.ORDERS) == sorted(permutations(range(3)))
    image = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    draws = torch.tensor([[0.9, 0.1, 0.9, order / 6 + 0.01] for order in range(6)])
    changed = augment.photometric(image.expand(6, -1, -1, -1), 0.5, draws)
    assert len({tuple(item.flatten().tolist()) for item in changed}) == 6
