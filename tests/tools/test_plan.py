"""`replay plan` says what is left of a study, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.tools.plan import estimate, plan_table, probe
from ilsvrc_replay.tools.plan.estimate import Plan, Work, makespan
from ilsvrc_replay.tools.plan.timings import Probe
from ilsvrc_replay.training import fit

A_MINUTE = Probe("net", 100, 50.0, train_s=50.0, test_s=4.5, build_s=1.0, memory_mib=512, saved_bytes=2**20)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is measured is kept in the current folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("tasks", "abreast", "seconds"), [([], 2, 0), ([3, 3, 3], 1, 9), ([3, 3, 3], 2, 6), ([1, 1, 4], 2, 5), ([4], 3, 4)]
)
def test_tasks_are_begun_in_order_as_soon_as_there_is_a_place(tasks: list[float], abreast: int, seconds: float) -> None:
    assert makespan(tasks, abreast) == seconds


def test_a_run_that_is_trained_costs_its_test_alone() -> None:
    work = Work(A_MINUTE, trained=2, tested=1, load_s=2.0)
    assert work.test_s == pytest.approx(estimate.DVC_S + 2.0 + 4.5)
    assert work.seconds == pytest.approx(work.test_s + 2.0 + 1.0 + 50.0)
    assert work.runs == [work.seconds, work.seconds, work.test_s]


def test_a_search_takes_as_long_as_its_trainings_before_all_runs() -> None:
    work = Work(A_MINUTE, trained=2, tested=0, load_s=2.0, searched=1.2)
    assert work.search_s == pytest.approx(estimate.DVC_S + 2.0 + 1.2 * 50.0)
    assert Plan([work], runs=2, abreast=2).seconds == pytest.approx(work.search_s + work.seconds)


@pytest.mark.parametrize(("todo", "searched"), [(None, 0.9), ({"tune@net"}, 0.9), ({"train@net-0"}, 0.0)])
def test_what_is_left_to_search(
    todo: set[str] | None, searched: float, study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "probe", instant)
    (work,) = estimate.plan(study("alexnet", lr={"search": [0.1, 0.2, 0.3]}), todo, jobs=1, seconds=1.0).work
    assert (work.searched, work.trained) == (pytest.approx(searched), 1), "what it chooses may be another rate"


def test_the_last_line_says_the_whole() -> None:
    plan = Plan([Work(A_MINUTE, trained=3, tested=0, load_s=0.0)], runs=5, abreast=2)
    assert plan_table.line(plan) == (
        "3 of 5 runs to do, 2 are done: about 2 min, 2 at once at full speed; memory 1.0 GiB, disk 6 MiB"
    )
    assert plan_table.line(Plan([], runs=5, abreast=2)) == "all 5 runs are done"


@pytest.mark.parametrize(
    ("todo", "counts"),
    [
        (None, [(2, 0)]),
        ({"train@net-0", "evaluate@net-0", "evaluate@net-1", "aggregate"}, [(1, 1)]),
        ({"aggregate", "page"}, []),
    ],
)
def test_what_is_up_to_date_is_taken_off(
    todo: set[str] | None, counts: list[tuple[int, int]], study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "probe", instant)
    two_seeds = study("alexnet").model_copy(update={"seeds": [0, 1]})
    plan = estimate.plan(two_seeds, todo, jobs=1, seconds=1.0)
    assert [(work.trained, work.tested) for work in plan.work] == counts
    assert plan.runs == 2


def test_what_was_measured_foretells_the_same_study_again(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "probe", instant)
    one, todo = study("alexnet"), {"train@net-0", "evaluate@net-0"}
    assert estimate.foretold(one, todo, jobs=1) is None
    made = estimate.plan(one, todo, jobs=1, seconds=1.0)
    assert estimate.foretold(one, todo, jobs=1) == made
    assert estimate.foretold(one, {"evaluate@net-0"}, jobs=1).seconds < made.seconds, "what is done is taken off"
    assert estimate.foretold(study("alexnet", epochs=7.0), todo, jobs=1) is None
    assert estimate.foretold(study("zfnet"), todo, jobs=1) is None


def instant(study: Study, entry: str, seconds: float) -> Probe:
    return A_MINUTE._replace(entry=entry)


def test_a_probe_foretells_a_training(study: Callable[..., Study], packed: Packed, tmp_path: Path) -> None:
    (tmp_path / "data/packed").mkdir(parents=True)
    (tmp_path / "data/packed/digits").symlink_to(packed.folder)
    one = study("zfnet", batch_size=16, epochs=2.0)
    found = probe.probe(one, "net", 0.5)
    job = fit.set_up(resolve(one, "net"), 0, packed)
    before = time.process_time()
    fit.run(job)
    assert found.steps == job.module.steps
    assert found.train_s == pytest.approx(time.process_time() - before, rel=3)  # on a busy machine
    assert found.train_s > found.steps * 16 / found.images_per_s
    weights = sum(tensor.nbytes for tensor in job.module.net.state_dict().values())
    assert found.saved_bytes == weights + 4 * 10 * packed.meta["images"]["test"]
    assert torch.get_num_threads() == one.compute.threads
