"""Confidence intervals and tests: of an error rate, of the difference of two, of the order of several."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
REPLICATES = 2000  # of the bootstrap
CHUNK = 250  # replicates at once: 20 MB for ten thousand images


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


def bootstrap(wrong: Sequence[np.ndarray]) -> np.ndarray:
    """Errors in % of E nets in R = REPLICATES redrawn tests: (R, E). `wrong`: for each net a mask (S, N), which images
    each seed has wrong.

    Images are redrawn for all nets together, so that differences within a replicate are paired. The seeds of each net,
    of which nets may have different numbers, are redrawn too (Efron & Tibshirani 1993, chapter 8). The random draws are
    the same in every call.
    """
    rng = np.random.default_rng(0)
    images = wrong[0].shape[1]
    by_run = np.concatenate(wrong).T.astype(np.float64, order="C")
    seeds = [len(runs) for runs in wrong]
    errors = []
    for _ in range(REPLICATES // CHUNK):
        redrawn = (np.bincount(rng.integers(images, size=images), minlength=images) for _ in range(CHUNK))
        by_seed = np.split(np.stack(list(redrawn)) @ by_run / images, np.cumsum(seeds)[:-1], axis=1)
        drawn = (rng.integers(count, size=(CHUNK, count)) for count in seeds)
        means = [np.take_along_axis(runs, index, axis=1).mean(1) for runs, index in zip(by_seed, drawn, strict=True)]
        errors.append(100 * np.stack(means, axis=1))
    return np.concatenate(errors)


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The central 95 % of bootstrap replicates (R,)."""
    low, high = np.quantile(draws, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return float(low), float(high)


def paired_change(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """The 95 % interval, in points, of the change in error between two nets tested on the same images. `before` and
    `after`: masks (S, N), which images each seed has wrong."""
    draws = bootstrap([before, after])
    return interval(draws[:, 1] - draws[:, 0])


def sign(low: float, high: float) -> int:
    """1 if a change with this interval is a rise, -1 if a fall, 0 if neither is resolved."""
    return 1 if low > 0 else -1 if high < 0 else 0


def mcnemar(first_wrong: np.ndarray, second_wrong: np.ndarray) -> float:
    """The exact two-sided p-value for equal errors of two nets, from masks (N,) of the images that each has wrong.

    McNemar 1947: under that hypothesis, each net has half of the images that only one of them has wrong.
    """
    first_only = int((first_wrong & ~second_wrong).sum())
    second_only = int((second_wrong & ~first_wrong).sum())
    return stats.binomtest(first_only, first_only + second_only).pvalue if first_only + second_only else 1.0


def order_agreement(errors: np.ndarray, published: np.ndarray) -> float:
    """Kendall's tau-b between measured and published errors: 1 for the same order, -1 for the reverse."""
    return float(stats.kendalltau(errors, published).statistic)
