from __future__ import annotations

import itertools

import torch

from ilsvrc_replay.input import seeding


def test_the_same_address_gives_the_same_numbers() -> None:
    draws = [torch.rand(100, generator=seeding.generator(3, 7, 1)) for _ in range(2)]
    assert torch.equal(*draws)


def test_near_addresses_give_unrelated_numbers() -> None:
    addresses = [(0,), (0, 0), (0, 1), (1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    assert len({seeding.seed_of(*address) for address in addresses}) == len(addresses)
    draws = [torch.rand(10_000, generator=seeding.generator(*address)) for address in ((0, 0, 1), (0, 1, 1), (1, 0, 1))]
    for first, second in itertools.combinations(draws, 2):
        assert torch.corrcoef(torch.stack([first, second]))[0, 1].abs() < 0.05
