from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ilsvrc_replay.statistics.intervals import bootstrap, error_with_interval, interval, mcnemar, order_agreement


def test_one_seed_has_wilsons_interval() -> None:
    # 1,000 of 10,000 wrong: Wilson's bounds by his formula
    n, p, z = 10_000, 0.1, 1.959964
    centre, half = p + z * z / (2 * n), z * ((p * (1 - p) + z * z / (4 * n)) / n) ** 0.5
    low, high = (100 * (centre - half) / (1 + z * z / n), 100 * (centre + half) / (1 + z * z / n))
    assert error_with_interval([10.0], n) == pytest.approx((10.0, low, high), abs=1e-4)


def test_several_seeds_have_students_interval_when_they_spread_more() -> None:
    errors = [10.0, 14.0, 12.0]
    mean, low, high = error_with_interval(errors, 10_000)
    expected = stats.t.interval(0.95, 2, loc=12.0, scale=stats.sem(errors))
    assert (mean, low, high) == pytest.approx((12.0, *expected), abs=1e-4)


def test_seeds_that_agree_by_chance_do_not_make_the_images_fewer() -> None:
    assert error_with_interval([10.0, 10.0], 10_000) == error_with_interval([10.0], 10_000)


def test_bounds_stay_within_0_and_100() -> None:
    assert error_with_interval([0.0], 100)[1] == 0.0
    assert error_with_interval([100.0, 98.0], 100)[2] == 100.0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    wrong = np.random.default_rng(1).binomial(10_000, 0.14, size=2000)
    bounds = [error_with_interval([count / 100], 10_000)[1:] for count in wrong]
    assert 93 <= 100 * np.mean([low <= 14 <= high for low, high in bounds]) <= 97


def test_bootstrapped_differences_are_paired() -> None:
    rng = np.random.default_rng(2)
    first = rng.random(4000) < 0.3
    second = first ^ (rng.random(4000) < 0.05)  # the same net but for one image in twenty
    draws = bootstrap(np.stack([first, second])[:, None])
    difference = second.astype(float) - first
    low, high = interval(draws[:, 1] - draws[:, 0])
    half = 100 * 1.96 * difference.std() / 4000**0.5
    assert (low, high) == pytest.approx(
        (100 * difference.mean() - half, 100 * difference.mean() + half), abs=0.12 * half
    )
    low, high = interval(draws[:, 0])
    assert high - low == pytest.approx(2 * 100 * 1.96 * first.std() / 4000**0.5, rel=0.1)


def test_seeds_that_differ_widen_a_bootstrapped_interval() -> None:
    rng = np.random.default_rng(3)
    one_rate = rng.random((1, 2, 2000)) < 0.2
    two_rates = rng.random((1, 2, 2000)) < np.array([0.1, 0.3])[:, None]
    widths = [np.subtract(*interval(bootstrap(wrong)[:, 0])[::-1]) for wrong in (one_rate, two_rates)]
    assert widths[1] > 2 * widths[0]


def test_mcnemar_counts_only_images_that_one_net_alone_has_wrong() -> None:
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    first[:15], second[5:17] = True, True  # five alone against two alone
    assert mcnemar(first, second) == pytest.approx(2 * (1 + 7 + 21) / 2**7)  # binomial tail, both sides
    assert mcnemar(first, first) == 1.0


def test_agreement_of_order_by_counting_pairs() -> None:
    measured, published = np.array([14.0, 13.0, 13.5, 12.0]), np.array([16.4, 11.7, 7.3, 6.7])
    assert order_agreement(measured, published) == pytest.approx((5 - 1) / 6)


def test_the_statistics_agree_with_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
    from statsmodels.stats.proportion import proportion_confint

    rng = np.random.default_rng(0)
    for wrongs in (12, 1500, 9990):
        low, high = (100 * side for side in proportion_confint(wrongs, 10_000, alpha=0.05, method="wilson"))
        assert error_with_interval([wrongs / 100], 10_000)[1:] == pytest.approx((low, high), abs=1e-4)
    for rate in (0.1, 0.15):
        first, second = rng.random(2000) < 0.1, rng.random(2000) < rate
        table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
        assert mcnemar(first, second) == pytest.approx(reference_mcnemar(table, exact=True).pvalue, rel=1e-9)
