"""Several processes see together what one sees, every image once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.input.world import ALONE, World, from_environment

IMAGES, LABELS = torch.arange(101, dtype=torch.uint8)[:, None, None, None], torch.arange(101)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("number", [8, 33, 101])
def test_shares_hold_everything_once_and_differ_by_one_at_the_most(number: int, count: int) -> None:
    things = list(range(number))
    shares = [things[World(rank, count).rows(number)] for rank in range(count)]
    assert [thing for share in shares for thing in share] == things
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert sum(World(rank, count).share(number) for rank in range(count)) == pytest.approx(1)


def training(part: World) -> list[tuple[Tensor, Tensor]]:
    batches = TrainingBatches(
        IMAGES,
        LABELS,
        batch_size=33,
        interval=7,
        seed=3,
        view=lambda images, index, epoch: images[:, 0, 0, 0] * 1000 + index + epoch,
        world=part,
    )
    return list(batches)


@pytest.mark.parametrize("count", [2, 4])
def test_the_parts_of_a_batch_are_the_batch_with_the_same_views(count: int) -> None:
    parts = [training(World(rank, count)) for rank in range(count)]
    for whole, *pieces in zip(training(ALONE), *parts, strict=True):
        for side in (0, 1):
            assert torch.equal(torch.cat([piece[side] for piece in pieces]), whole[side])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_validation_shows_every_image_once_in_order(count: int) -> None:
    seen = []
    for rank in range(count):
        part = OrderedBatches(IMAGES, LABELS, batch_size=20, view=lambda images: images, world=World(rank, count))
        batches = list(part)
        assert len(batches) == len(part)
        seen += [label for _, labels in batches for label in labels.tolist()]
    assert seen == LABELS.tolist()


TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}
SLURM = {"SLURM_PROCID": "5", "SLURM_LOCALID": "2", "SLURM_NTASKS": "6", "SLURM_JOB_NAME": "study"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ALONE),
        (TORCHRUN, World(3, 4, 1, "torchrun")),
        (SLURM, World(5, 6, 2, "SLURM")),
        (SLURM | TORCHRUN, World(3, 4, 1, "torchrun")),  # torchrun started by srun
        (SLURM | {"SLURM_JOB_NAME": "bash"}, ALONE),  # a shell in an allocation
        (SLURM | {"SLURM_JOB_NAME": "interactive"}, ALONE),
        ({"RANK": "3", "WORLD_SIZE": "4"}, ALONE),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "6"}, ALONE),
        (TORCHRUN | {"RANK": "first"}, ALONE),
    ],
)
def test_who_started_the_process_says_its_place(
    environment: dict[str, str], expected: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", environment)
    assert from_environment() == expected
