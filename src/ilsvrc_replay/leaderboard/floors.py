"""The errors that a net must beat to count as trained: of a linear classifier, and of guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.statistics.intervals import error_with_interval

AT_CHANCE = "did not leave chance"


SPLITS = {"test": "test", "val": "validation", "train": "training"}


def classes_of(baseline: Mapping[str, Any]) -> int:
    """How many classes the data set has: of K, guessing has the error 1 - 1/K."""
    return round(100 / (100 - baseline["chance_top1_err"]))


def images_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which images rows of a board were measured on, such as "10,000 test images"."""
    most: dict[str, int] = {}
    for row in rows:
        split = tested_on(row["protocol"])[0]
        most[split] = max(most.get(split, 0), row["images"])
    return " and ".join(f"{count:,} {SPLITS[split]} images" for split, count in most.items())


def linear_errors(rows: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any]) -> str:
    """The linear classifier's top-1 error on the images of `rows`, "15.27 %"; of several kinds of images, on each."""
    errors = {tested_on(row["protocol"])[0]: f"{linear_error(baseline, row['protocol']):.2f} %" for row in rows}
    if len(errors) == 1:
        return next(iter(errors.values()))
    return " and ".join(f"{error} on the {SPLITS[split]} images" for split, error in errors.items())


def linear_error(baseline: Mapping[str, Any], protocol: str) -> float:
    """The top-1 error in % of the linear classifier on the kind of images that `protocol` tests on."""
    split = tested_on(protocol)[0]
    return baseline["linear_top1_err" if split == "test" else f"linear_{split}_top1_err"]


def shortfall(error: float, high: float, baseline: Mapping[str, Any], protocol: str) -> str | None:
    """What keeps a net with this top-1 error in %, and this upper end of its interval, from counting as trained; None
    if it does."""
    if high >= baseline["chance_top1_err"]:
        return AT_CHANCE
    return "is not better than the linear classifier" if error >= linear_error(baseline, protocol) else None


def shortfall_of(wrong: np.ndarray, baseline: Mapping[str, Any], protocol: str) -> str | None:
    """`shortfall` of a net that has these images wrong, a mask (S, N)."""
    error, _, high = error_with_interval([100 * float(seed.mean()) for seed in wrong], wrong.shape[1])
    return shortfall(error, high, baseline, protocol)


def trained(wrong: np.ndarray, baseline: Mapping[str, Any], protocol: str) -> bool:
    """Whether a net counts as trained that has these images wrong, a mask (S, N)."""
    return shortfall_of(wrong, baseline, protocol) is None
