from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import pytest

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime import launcher
from ilsvrc_replay.runtime.launcher import Launcher, how_many


def test_a_run_counts_once_whatever_is_left_of_it() -> None:
    runs = {"alexnet": ["alexnet-0", "alexnet-1"], "zfnet": ["zfnet-0", "zfnet-1"]}
    todo = {"train@alexnet-0", "evaluate@alexnet-0", "evaluate@zfnet-1", "aggregate", "page"}
    assert how_many(runs, todo) == "2 of 4 runs to do"
    assert how_many(runs, {"tune@zfnet"}) == "2 of 4 runs to do"
    assert how_many(runs, {"aggregate"}) == "0 of 4 runs to do"


def test_runs_that_new_data_calls_for_are_announced_before_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc status` names no run of which only the data may change: after `prepare` it is asked again."""
    asked, told = iter([{"prepare"}, {"train@net-0", "evaluate@net-0"}, set()]), []
    monkeypatch.setattr(launcher, "pending", lambda: next(asked, set()))
    made = Launcher(jobs=1)
    done: list[str] = []
    monkeypatch.setattr(made, "do", lambda *stages: done.append(stages[0]) or True)
    with suppress(StudyError):
        made.bring_up_to_date({"net": ["net-0"]}, [], lambda todo: told.append((sorted(todo), list(done))))
    assert told == [(["evaluate@net-0", "train@net-0"], ["resolve", "acquire", "prepare"])]


def test_a_refusal_ends_it_before_anything_of_a_run_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "pending", lambda: {"train@net-0"})
    made = Launcher(jobs=1)
    done: list[str] = []
    monkeypatch.setattr(made, "do", lambda *stages: done.append(stages[0]) or True)

    def refuse(_todo: Collection[str]) -> None:
        raise StudyError("there is no GPU")

    with pytest.raises(StudyError, match="there is no GPU"):
        made.bring_up_to_date({"net": ["net-0"]}, [], refuse)
    assert done == ["resolve"]
