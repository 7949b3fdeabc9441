"""What the comparison of two nets says by chance alone, and what it finds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ilsvrc_replay.statistics.comparisons import (
    LEVEL,
    compare,
    holm,
    image_variance,
    order_agreement,
    seeds_needed,
    too_few,
    welch,
)

IMAGES, DISCORDANCE = 10_000, 0.075  # test images, and the share of them that one of two nets alone has wrong
OF_IMAGES = 100**2 * DISCORDANCE / IMAGES  # the variance that they give a change, in points squared
TRIALS = 20_000


def errors(nets: int, seeds: int, sd: float, *, rng: np.random.Generator) -> np.ndarray:
    """Errors (TRIALS, nets, seeds) in points of nets that are equally good: runs vary by `sd`, and each net is as lucky
    with the images as makes OF_IMAGES of every two."""
    luck = rng.normal(0, np.sqrt(OF_IMAGES / 2), (TRIALS, nets, 1))
    return luck + rng.normal(0, sd, (TRIALS, nets, seeds))


def p_values(runs: np.ndarray) -> np.ndarray:
    """The p (TRIALS, nets - 1) of every step from one net to the next."""
    nets = range(runs.shape[1])
    return np.stack([welch(runs[:, a], runs[:, b], OF_IMAGES).p for a, b in pairwise(nets)], axis=1)


@pytest.mark.parametrize("sd", [0.3, 0.6, 2.0])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_verdicts_by_chance_are_rare(seeds: int, sd: float) -> None:
    found = p_values(errors(7, seeds, sd, rng=np.random.default_rng(seeds)))
    assert (found < LEVEL).mean() < 0.06
    boards = [min(holm(board)) < LEVEL for board in found]
    assert np.mean(boards) < 0.06
    assert (found < LEVEL).any(1).mean() > 1.5 * np.mean(boards), (
        "without Holm's correction a board of six steps would be wrong often"
    )


@pytest.mark.parametrize("sd", [0.3, 0.6, 2.0])
def test_without_the_images_share_chance_would_look_like_a_verdict(sd: float) -> None:
    runs = errors(2, 5, sd, rng=np.random.default_rng(0))
    rate = (welch(runs[:, 0], runs[:, 1]).p < LEVEL).mean()
    assert rate > {0.3: 0.15, 0.6: 0.07, 2.0: 0.03}[sd]


def test_two_points_are_found_by_five_seeds() -> None:
    runs = errors(2, 5, 0.4, rng=np.random.default_rng(1))
    found = welch(runs[:, 0], runs[:, 1] - 2.0, OF_IMAGES)
    assert (found.p < LEVEL).mean() > 0.8
    assert (found.p < LEVEL / 6).mean() > 0.8, "also as the hardest of six steps"
    assert ((found.low < -2) & (found.high > -2)).mean() > 0.95


@pytest.mark.parametrize("seeds", [3, 5])
def test_on_images_verdicts_by_chance_are_rare_and_the_variance_is_right(seeds: int) -> None:
    """Nets of equal error, drawn image by image: each finds images of its own hard, and each run others."""
    rng, changes, variances, rejected = np.random.default_rng(4), [], [], []
    for _ in range(400):
        hard = rng.normal(0, 1, 3000)
        masks = []
        for _ in range(2):
            own = hard + rng.normal(0, 0.6, 3000)
            run = rng.normal(0, 0.05, (seeds, 1))  # how good a run is at all
            masks.append(own + run + rng.normal(0, 0.5, (seeds, 3000)) > 1.5)
        found = compare(*masks)
        changes.append(found.change)
        shares = [100**2 * mask.mean(1).var(ddof=1) / seeds for mask in masks]
        variances.append(sum(shares) + image_variance(*masks))
        rejected.append(found.p < LEVEL)
    assert np.mean(variances) == pytest.approx(np.var(changes), rel=0.15)
    assert np.mean(rejected) < 0.06


def test_images_on_which_the_runs_themselves_vary_count_once() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.random((5, 20_000)) < 0.1, rng.random((5, 20_000)) < 0.1  # every image as hard as another
    assert image_variance(first, second) < 0.05 * 100**2 * 2 * 0.1 * 0.9 / 5 / 20_000
    same = np.repeat(rng.random((1, 20_000)) < 0.1, 5, axis=0)
    other = np.repeat(rng.random((1, 20_000)) < 0.1, 5, axis=0)
    assert image_variance(same, other) == pytest.approx(100**2 * 2 * 0.1 * 0.9 / 20_000, rel=0.05)


def test_without_an_images_share_it_is_welchs_of_scipy() -> None:
    rng = np.random.default_rng(6)
    first, second = rng.normal(10, 1, (50, 3)), rng.normal(11, 2, (50, 7))
    found = welch(first, second)
    expected = stats.ttest_ind(second, first, axis=1, equal_var=False)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.low == pytest.approx(interval.low, rel=1e-9)
    assert found.high == pytest.approx(interval.high, rel=1e-9)
    wins = stats.mannwhitneyu(first, second, axis=1).statistic / 21
    assert found.better == pytest.approx(wins)


def test_runs_that_are_all_alike_differ_or_do_not() -> None:
    assert welch([3.0, 3.0, 3.0], [3.0, 3.0, 3.0])[3:] == (1.0, 0.5)
    assert welch([3.0, 3.0, 3.0], [2.0, 2.0, 2.0])[3:] == (0.0, 1.0)


def test_nothing_is_judged_by_fewer_than_three_seeds() -> None:
    runs = [np.zeros((count, 9), bool) for count in (1, 2, 3, 4)]
    found = [too_few(first, second) for first in runs for second in runs]
    assert found == ["one seed"] * 5 + ["two seeds"] * 3 + ["one seed", "two seeds", None, None] * 2


def test_holm_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(7)
    for count in range(1, 9):
        p = rng.random(count) ** 4
        assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert holm([0.04, 0.01, 0.04]) == pytest.approx([0.08, 0.03, 0.08])
    assert holm([]) == []


@pytest.mark.parametrize(("change", "sd"), [(1.0, 0.4), (2.0, 0.4), (1.0, 0.8), (0.8, 0.2)])
def test_as_many_seeds_as_are_needed_have_four_chances_in_five(change: float, sd: float) -> None:
    needed, rng = seeds_needed(change, sd, sd, OF_IMAGES), np.random.default_rng(8)
    power = {}
    for seeds in (needed - 1, needed):
        runs = errors(2, seeds, sd, rng=rng)
        power[seeds] = (welch(runs[:, 0], runs[:, 1] - change, OF_IMAGES).p < LEVEL).mean()
    assert power[needed] > 0.77
    assert needed == 3 or power[needed - 1] < 0.83


def test_what_too_few_images_hide_no_number_of_seeds_finds() -> None:
    assert seeds_needed(0.3, 0.4, 0.4, OF_IMAGES) is None
    assert seeds_needed(0.3, 0.4, 0.4) == 30
    assert seeds_needed(0.0, 0.4, 0.4) is None
    assert seeds_needed(0.1, 0.0, 0.0) == 3


def test_agreement_of_order_by_counting_pairs_and_orders() -> None:
    measured, published = [14.0, 13.0, 13.5, 12.0], [18.2, 16.5, 7.5, 5.7]
    tau, p = order_agreement(measured, published)
    assert tau == pytest.approx((5 - 1) / 6)
    assert p == pytest.approx(
        2 * (1 + 3) / 24
    )  # orders of four with at most one pair the other way, and their reverses


@pytest.mark.parametrize("nets", [3, 5, 6, 8])
def test_the_orders_p_is_scipys_exact_one(nets: int) -> None:
    rng = np.random.default_rng(nets)
    measured, published = rng.random(nets), rng.random(nets)
    expected = stats.kendalltau(measured, published, method="exact")
    assert order_agreement(measured, published) == pytest.approx((expected.statistic, expected.pvalue))


def test_the_orders_p_with_ties_and_with_many_nets() -> None:
    measured, published = [1.0, 2.0, 3.0, 4.0, 5.0], [7.5, 7.5, 6.0, 6.5, 5.0]
    reference = stats.permutation_test(
        (measured,), lambda x: stats.kendalltau(x, published).statistic, permutation_type="pairings"
    )
    assert order_agreement(measured, published) == pytest.approx((reference.statistic, reference.pvalue))
    rng = np.random.default_rng(9)
    measured, published = np.arange(12.0), np.arange(12.0) + rng.normal(0, 6, 12)
    exact = stats.kendalltau(measured, published, method="exact")
    assert order_agreement(measured, published) == pytest.approx((exact.statistic, exact.pvalue), abs=0.01)
