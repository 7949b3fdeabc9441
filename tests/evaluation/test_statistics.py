from __future__ import annotations

import pytest
from scipy import stats

from ilsvrc_replay.evaluation.statistics import error_with_interval


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
