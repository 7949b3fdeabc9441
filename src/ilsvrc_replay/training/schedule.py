"""How the learning rate falls."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ilsvrc_replay.run import Schedule


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
