from __future__ import annotations

from ilsvrc_replay.runtime.launcher import how_many


def test_a_run_counts_once_whatever_is_left_of_it() -> None:
    runs = {"alexnet": ["alexnet-0", "alexnet-1"], "zfnet": ["zfnet-0", "zfnet-1"]}
    todo = {"train@alexnet-0", "evaluate@alexnet-0", "evaluate@zfnet-1", "aggregate", "page"}
    assert how_many(runs, todo) == "2 of 4 runs to do"
    assert how_many(runs, {"tune@zfnet"}) == "2 of 4 runs to do"
    assert how_many(runs, {"aggregate"}) == "0 of 4 runs to do"
