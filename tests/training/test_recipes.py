from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ilsvrc_replay.params import Recipe, Schedule, Study
from ilsvrc_replay.training.module import make_optimizer
from ilsvrc_replay.training.recipes import published, rate, resolve


def test_every_published_recipe_is_valid() -> None:
    for values in [published()["modern"], *published()["era"].values()]:
        Recipe.model_validate(values)


def test_an_entry_overrides_its_recipe_and_nothing_else(study: Callable[..., Study]) -> None:
    plain = resolve(study("alexnet", recipe="era").entries["net"])
    changed = resolve(study("alexnet", recipe="era", lr=0.5, flip=False).entries["net"])
    assert (plain.lr, plain.momentum, plain.weight_decay, plain.batch_size) == (0.01, 0.9, 5e-4, 128)
    assert plain.pca_colour == 0.1
    assert changed == plain.model_copy(update={"lr": 0.5, "flip": False})


def test_an_override_with_the_default_value_still_overrides(study: Callable[..., Study]) -> None:
    assert resolve(study("alexnet", recipe="modern", flip=True).entries["net"]).flip is True


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [
        (Schedule(kind="step", at=[0.5, 0.75], factor=0.1), [0, 0.49, 0.5, 0.75, 1], [1, 1, 0.1, 0.01, 0.01]),
        (Schedule(kind="cosine"), [0, 0.5, 1], [1, 0.5, 0]),
        (Schedule(kind="poly", power=0.5), [0, 0.75, 1], [1, 0.5, 0]),
        (Schedule(kind="constant"), [0, 1], [1, 1]),
        (Schedule(kind="cosine", warmup=0.2), [0, 0.1, 0.2, 0.6, 1], [0, 0.5, 1, 0.5, 0]),
    ],
)
def test_schedules(schedule: Schedule, at: list[float], expected: list[float]) -> None:
    assert [rate(schedule, progress) for progress in at] == pytest.approx(expected)


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_the_recipe_names_its_optimiser(name: str, kind: type) -> None:
    optimizer = make_optimizer(Recipe(optimizer=name, lr=0.3, weight_decay=0.2, momentum=0.7), torch.nn.Linear(2, 2))
    (group,) = optimizer.param_groups
    assert type(optimizer) is kind
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.2)
    assert group["momentum" if name == "sgd" else "betas"] in (0.7, (0.7, 0.99))
