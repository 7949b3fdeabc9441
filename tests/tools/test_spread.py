"""The simulation of a cluster whose nodes fail, where one knows what must come out."""

from __future__ import annotations

import pytest

from ilsvrc_replay.tools.plan.estimate import makespan
from ilsvrc_replay.tools.plan.spread import OVERHEAD_S, hours, spread

NEVER = 1e12
RUNS = [9.0, 7.0, 5.0, 5.0, 3.0, 2.0, 1.0]


def test_where_nothing_fails_it_is_the_plans_makespan() -> None:
    found = spread(RUNS, nodes=1, gpus=3, between_failures=NEVER, repair=1, goes_on=False)
    assert found.hours == pytest.approx(makespan(RUNS, 3))
    assert (found.failures, found.lost) == (0, 0)
    assert spread(RUNS, 3, 1, NEVER, 1, False).hours == pytest.approx(makespan(RUNS, 3))


def test_failures_cost_time_and_a_kept_state_saves_it() -> None:
    anew, on = (spread([50.0] * 64, 8, 4, 200, 2, goes_on, seed=1) for goes_on in (False, True))
    assert anew.failures > 0
    assert anew.lost > on.lost
    assert anew.hours > on.hours > 100


def test_a_resnet50_takes_as_long_as_its_images_at_the_speed_that_is_assumed() -> None:
    assert hours(4.1e9) == pytest.approx(1_281_167 * 90 / 1_220 / 3600, rel=0.01)


def test_eight_gpus_for_a_run_take_an_eighth_of_its_time() -> None:
    assert 8 * (hours(4.1e9, 8) - OVERHEAD_S / 3600) == pytest.approx(hours(4.1e9) - OVERHEAD_S / 3600)
