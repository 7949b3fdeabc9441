from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ilsvrc_replay.statistics.intervals import error_with_interval, mcnemar


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


def test_mcnemar_counts_only_images_that_one_net_alone_has_wrong() -> None:
    first, second = np.zeros(100, bool), np.zeros(100, bool)
    first[:15], second[5:17] = True, True  # five alone against two alone
    assert mcnemar(first, second) == pytest.approx(2 * (1 + 7 + 21) / 2**7)  # binomial tail, both sides
    assert mcnemar(first, first) == 1.0


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
