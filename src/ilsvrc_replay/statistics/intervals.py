"""The confidence interval of an error rate, and the exact test of two nets by the images that each has wrong."""

from __future__ import annotations

import statistics

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


def error_with_interval(errors: list[float], images: int) -> tuple[float, float, float]:
    """Mean error over seeds and its 95 % interval, all in %. `errors`: one for each seed, each of as many `images`.

    One seed: Wilson's interval, which covers the chance of the images alone. Several: Student's interval over the
    seeds, widened to Wilson's where that is wider.
    """
    mean = statistics.fmean(errors)
    wilson = stats.binomtest(round(mean * images / 100), images).proportion_ci(CONFIDENCE, method="wilson")
    low, high = 100 * wilson.low, 100 * wilson.high
    if len(errors) > 1:
        half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(errors) - 1) * stats.sem(errors)
        low, high = min(low, mean - half), max(high, mean + half)
    return tuple(round(min(max(value, 0.0), 100.0), 4) for value in (mean, low, high))


def mcnemar(first_wrong: np.ndarray, second_wrong: np.ndarray) -> float:
    """The exact two-sided p-value for equal errors of two nets, from masks (N,) of the images that each has wrong.

    McNemar 1947: under that hypothesis, each net has half of the images that only one of them has wrong.
    """
    first_only = int((first_wrong & ~second_wrong).sum())
    second_only = int((second_wrong & ~first_wrong).sum())
    return stats.binomtest(first_only, first_only + second_only).pvalue if first_only + second_only else 1.0
