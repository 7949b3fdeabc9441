from __future__ import annotations

import torch
from scipy import stats

from ilsvrc_replay.input import seeding


def test_a_draw_depends_on_its_address_alone() -> None:
    index = torch.arange(1000)
    whole = seeding.uniform(3, 7, index, 4)
    shuffled = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(seeding.uniform(3, 7, index[shuffled], 4), whole[shuffled])
    assert torch.equal(seeding.uniform(3, 7, index[500:501], 4), whole[500:501])
    assert torch.equal(seeding.uniform(3, 7, index, 2), whole[:, :2])


def test_uniform_draws_are_uniform_and_independent() -> None:
    sample = seeding.uniform(0, 0, torch.arange(50_000), 3)
    assert sample.min() >= 0
    assert sample.max() < 1
    for column in sample.T:
        assert stats.kstest(column.numpy(), "uniform").pvalue > 1e-3
    correlation = torch.corrcoef(sample.T)
    assert (correlation - torch.eye(3)).abs().max() < 0.02
    neighbours = torch.corrcoef(torch.stack([sample[:-1, 0], sample[1:, 0]]))[0, 1]
    assert neighbours.abs() < 0.02


def test_other_seeds_epochs_and_streams_draw_otherwise() -> None:
    index = torch.arange(10_000)
    base = seeding.uniform(0, 0, index, 1)
    for other in (
        seeding.uniform(1, 0, index, 1),
        seeding.uniform(0, 1, index, 1),
        seeding.uniform(0, 0, index, 1, stream=1),
    ):
        assert torch.corrcoef(torch.stack([base[:, 0], other[:, 0]]))[0, 1].abs() < 0.05


def test_normal_draws_are_normal() -> None:
    sample = seeding.normal(0, 0, torch.arange(50_000), 2)
    assert torch.isfinite(sample).all()
    for column in sample.T:
        assert stats.kstest(column.numpy(), "norm").pvalue > 1e-3
