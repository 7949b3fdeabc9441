"""A step of training: what it asks of the device, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from made_recipes import crop, recipe, schedule
from pytorch_lightning import Callback
from waits import Waits

from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.loop import Loop
from ilsvrc_replay.training.module import Classifier
from ilsvrc_replay.training.schedule import rate

NOISE = {"crop": crop(kind="area"), "flip": True, "photometric": 0.4, "pca_colour": 0.1, "dropout": 0.5}


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        NOISE | {"optimizer": "sgd", "clip": 1.0},
        NOISE | {"crop": crop(kind="pad"), "optimizer": "nesterov", "average": "polyak", "label_smoothing": 0.1},
        {"crop": crop(kind="resize"), "average": "ema"},
    ],
    ids=["modern", "area", "pad", "ema"],
)
def test_no_step_waits_for_the_device(study: Callable[..., Study], packed: Packed, recipe: dict) -> None:
    job = fit.set_up(resolve(study("googlenet", epochs=1.0, **recipe), "net"), 0, packed)
    loop, batches = fit.start(job), iter(job.data.training)
    job.module.step = job.module.steps // 2  # Polyak's average has begun
    for number in range(2):  # what an epoch needs, and the optimiser's state, are made
        loop.take_step(next(batches), number)
    with Waits() as waits:
        for number in range(2):
            loop.take_step(next(batches), number)
    assert waits.seen == []


def test_reading_a_value_is_seen_as_waiting() -> None:
    with Waits() as waits:
        torch.ones(2).sum().item()
        torch.tensor([1.0, 2.0])
    assert len(waits.seen) == 2


def test_the_rate_falls_with_the_validation_that_ends_the_patience() -> None:
    plateau = recipe(lr=0.5, schedule=schedule(kind="plateau", factor=0.1, patience=2))
    module = Classifier(torch.nn.Identity(), plateau, steps=10, batches_per_epoch=1, seed=0)
    factors = []
    for error in (60.0, 50.0, 51.0, 50.0, 49.0):
        module.curve.append({"val_top1_err": error})
        factors.append(module.factor(len(factors)))
    assert factors == pytest.approx([1, 1, 1, 0.1, 0.1])


class Rates(Callback):
    """Notes the rate of every step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_start(self, trainer: Loop, *_: object) -> None:
        self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])


@pytest.mark.parametrize("kind", ["plateau", "cosine"])
def test_every_step_has_the_rate_of_its_schedule(study: Callable[..., Study], packed: Packed, kind: str) -> None:
    chosen, rates = schedule(kind, patience=1, factor=0.1, warmup=0.2), Rates()
    job = fit.set_up(resolve(study("zfnet", epochs=0.5, lr=1e-9, schedule=chosen), "net"), 0, packed)
    fit.run(job, [rates])
    for step, seen in enumerate(rates.seen):
        errors = [row["val_top1_err"] for row in job.module.curve if row["step"] <= step]
        assert seen == 1e-9 * rate(chosen, step / job.module.steps, errors), step
    assert len(set(rates.seen)) > 3
