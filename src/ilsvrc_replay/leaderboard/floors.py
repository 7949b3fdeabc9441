"""The errors that a net must beat to count as trained: of a linear classifier, and of guessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.statistics.intervals import error_with_interval

AT_CHANCE = "did not leave chance"


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
