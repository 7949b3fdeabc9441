from __future__ import annotations

import torch
from torch.nn import functional as F

from ilsvrc_replay.data import augment


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
