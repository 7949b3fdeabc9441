"""The recipe that an entry is trained by: the published one, with the entry's own values in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Entry, Recipe, Schedule


@cache
def published() -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(Path(__file__).with_name("recipes.yaml").read_text())


def resolve(entry: Entry) -> Recipe:
    """The full recipe of `entry`. Raises StudyError if the era has none for its net."""
    values = published()[entry.recipe]
    if entry.recipe == "era":
        names = [name for name in values if name == entry.family or fnmatch(entry.architecture, name)]
        if not names:
            raise StudyError(f"there is no era recipe for {entry.architecture}: use `recipe: modern`")
        values = values[names[0]]
    recipe = Recipe.model_validate(values)
    return recipe.model_copy(update=entry.overrides)


def rate(schedule: Schedule, progress: float, errors: Sequence[float] = ()) -> float:
    """The factor on the learning rate after the share `progress` (0..1) of the training.

    `errors` are those of the validations so far, on which kind plateau depends. A warm-up rises along a line; the rest
    of the schedule then runs over what is left.
    """
    if progress < schedule.warmup:
        return progress / schedule.warmup
    progress = (progress - schedule.warmup) / (1 - schedule.warmup)
    if schedule.kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    if schedule.kind == "poly":
        return (1 - progress) ** schedule.power
    falls = {
        "step": sum(progress >= fraction for fraction in schedule.at),
        "staircase": math.floor(progress / schedule.every + 1e-9),
        "plateau": plateaus(errors, schedule.patience),
    }
    return schedule.factor ** falls.get(schedule.kind, 0)


def plateaus(errors: Sequence[float], patience: int) -> int:
    """How often `patience` errors in turn have not been lower than the lowest before; each is counted once."""
    lowest, waited, count = math.inf, 0, 0
    for error in errors:
        waited = 0 if error < lowest else waited + 1
        lowest = min(error, lowest)
        if waited == patience:
            waited, count = 0, count + 1
    return count
