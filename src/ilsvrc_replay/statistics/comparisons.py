"""Two nets compared over their runs, several such comparisons at once, and the order of many nets."""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ilsvrc_replay.statistics.intervals import CONFIDENCE

FEWEST_SEEDS = 3  # of each net: fewer say nothing of how much its runs differ
LEVEL = 1 - CONFIDENCE  # of significance
POWER = 0.8
MOST_SEEDS = 1000  # that are worth naming
MOST_NETS = 8  # all orders of which are counted: 8! = 40,320
ORDERS = 20_000  # drawn of more nets


class Comparison(NamedTuple):
    """The change of a measure from one net's runs to another's, its 95 % interval, the two-sided p of no change, and
    `better`, the chance that a run of the second measures less than one of the first. Numbers, or arrays of them."""

    change: ArrayLike
    low: ArrayLike
    high: ArrayLike
    p: ArrayLike
    better: ArrayLike


def welch(before: ArrayLike, after: ArrayLike, image_variance: ArrayLike = 0.0) -> Comparison:
    """Welch's t over runs, `before` (..., S) against `after` (..., T), of which the seeds are the sample.

    `image_variance` is what the choice of test images adds to the variance of the change: known from thousands of
    images, it counts with infinitely many degrees of freedom in Satterthwaite's formula (1946). There are never more of
    them than the runs have, S + T - 2: with three seeds the formula alone makes too many small p. Two runs a side at
    least. `better` is Mann and Whitney's share of pairs, ties half: Bouthillier et al. 2021 (arXiv 2103.03098) ask for
    it beside p.
    """
    before, after = np.asarray(before, float), np.asarray(after, float)
    shares = [runs.var(-1, ddof=1) / runs.shape[-1] for runs in (before, after)]
    change, variance = after.mean(-1) - before.mean(-1), sum(shares) + image_variance
    below = sum(share**2 / (runs.shape[-1] - 1) for share, runs in zip(shares, (before, after), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.fmin(variance**2 / below, before.shape[-1] + after.shape[-1] - 2)
        t = np.where(variance > 0, change / np.sqrt(variance), np.where(change == 0, 0, np.sign(change) * np.inf))
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) * np.sqrt(variance)
    pairs = after[..., :, None] - before[..., None, :]
    better = (pairs < 0).mean((-2, -1)) + (pairs == 0).mean((-2, -1)) / 2
    return Comparison(change, change - half, change + half, 2 * stats.t.sf(np.abs(t), freedom), better)


def image_variance(before: np.ndarray, after: np.ndarray) -> float:
    """The variance that the choice of images gives the change in error, in points squared, from masks (S, N) and (T, N)
    of the images that each run has wrong.

    Images differ in how much likelier the second net is to have them wrong. How that varies between them is what their
    mean difference over the runs varies, less what the runs themselves let it vary, which the variance over runs
    already has: the components of variance of a two-way table, of runs and images.
    """
    difference = 100 * (after.mean(0) - before.mean(0))
    by_runs = sum(100**2 * runs.var(0, ddof=1).mean() / len(runs) for runs in (before, after))
    return float(max(0.0, difference.var(ddof=1) - by_runs) / len(difference))


def compare(before: np.ndarray, after: np.ndarray) -> Comparison:
    """The change in error, in points, between two nets whose runs were tested on the same images: masks (S, N) and
    (T, N) of the images that each run has wrong. Holds for other seeds and for other images of the same kind."""
    errors = [100 * runs.mean(1) for runs in (before, after)]
    return welch(*errors, image_variance(before, after))


def too_few(*runs: Sequence) -> str | None:
    """ "one seed" or "two seeds" where a net has so few runs that nothing can be judged, else None."""
    return {0: "no seed", 1: "one seed", 2: "two seeds"}.get(min(map(len, runs)))


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of a family, adjusted so that any false rejection at all is as rare as the level (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p, float)[order] * np.arange(len(p), 0, -1)))
    return adjusted.tolist()


def seeds_needed(change: float, before_sd: float, after_sd: float, image_variance: float = 0.0) -> int | None:
    """How many seeds a net it takes to find a true `change` significant four times in five by `welch`, with these
    standard deviations over runs; None if more than MOST_SEEDS, or if the images are too few for any number."""
    seeds = np.arange(FEWEST_SEEDS, MOST_SEEDS + 1)
    shares = [sd**2 / seeds for sd in (before_sd, after_sd)]
    variance, below = sum(shares) + image_variance, sum(share**2 for share in shares) / (seeds - 1)
    if not change or not variance.all():
        return FEWEST_SEEDS if change else None
    freedom = np.minimum(variance**2 / np.maximum(below, 1e-300), 2 * seeds - 2)
    t = stats.t.ppf(1 - LEVEL / 2, freedom)
    # The noncentral t is that of a normal variable of its mean for so many degrees of freedom.
    enough = stats.norm.sf(t, abs(change) / np.sqrt(variance), np.sqrt(1 + t**2 / (2 * freedom))) >= POWER
    return int(seeds[enough][0]) if enough.any() else None


def order_agreement(measured: ArrayLike, published: ArrayLike) -> tuple[float, float]:
    """Kendall's tau-b between the measured and the published errors of n nets, 1 for the same order and -1 for the
    reverse, and its two-sided p: the share of all orders of the nets that agree, or disagree, as much; of more than
    MOST_NETS nets, of ORDERS drawn ones, always the same."""

    def signs(values: np.ndarray) -> np.ndarray:
        return np.sign(values[..., :, None] - values[..., None, :])

    wanted = signs(np.asarray(published, float))

    def tau(values: np.ndarray, axis: int = -1) -> np.ndarray:
        found = signs(values)
        return (found * wanted).sum((-2, -1)) / np.sqrt((found**2).sum((-2, -1)) * (wanted**2).sum())

    nets = len(wanted)
    exact = nets <= MOST_NETS
    result = stats.permutation_test(
        (np.asarray(measured, float),),
        tau,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=factorial(nets) if exact else ORDERS,
        batch=1000,
        rng=np.random.default_rng(0),
    )
    return float(result.statistic), float(result.pvalue)
