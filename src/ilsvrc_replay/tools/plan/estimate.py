"""What is left of a study, and how long it takes."""

from __future__ import annotations

import heapq
import multiprocessing
import os
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import fmean

from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Compute, run_name
from ilsvrc_replay.tools.plan import timings
from ilsvrc_replay.tools.plan.timings import Probe, Timing

DVC_S = 1.5  # seconds that DVC takes for a run, beside its two stages


@dataclass(frozen=True)
class Work:
    """What is left of an entry: `trained` runs to train and test, and `tested` to test alone, each as `probe` says; and
    a search that takes as long as `searched` trainings."""

    probe: Probe
    trained: int
    tested: int
    load_s: float  # for a stage to start
    searched: float = 0.0

    @property
    def seconds(self) -> float:
        """Of one whole run."""
        return self.test_s + self.load_s + self.probe.build_s + self.probe.train_s

    @property
    def test_s(self) -> float:
        return DVC_S + self.load_s + self.probe.test_s

    @property
    def search_s(self) -> float:
        return DVC_S + self.load_s + self.searched * self.probe.train_s if self.searched else 0.0

    @property
    def runs(self) -> list[float]:
        """Seconds of every run."""
        return [self.seconds] * self.trained + [self.test_s] * self.tested


@dataclass(frozen=True)
class Plan:
    """The whole study with what is done taken off; `abreast` runs go at full speed at once."""

    work: Sequence[Work]
    runs: int
    abreast: int

    @property
    def seconds(self) -> float:
        heavy_first = list(reversed(self.work))
        searches = makespan([work.search_s for work in heavy_first], self.abreast)  # all are done before any run
        return searches + makespan([seconds for work in heavy_first for seconds in work.runs], self.abreast)

    @property
    def memory_mib(self) -> int:
        return self.abreast * max((work.probe.memory_mib for work in self.work), default=0)

    @property
    def saved_bytes(self) -> int:
        """Of weights and predictions, once in the workspace and once in DVC's cache."""
        return 2 * sum(work.probe.saved_bytes * len(work.runs) for work in self.work)


def makespan(seconds: Sequence[float], abreast: int) -> float:
    """How long tasks take that are begun in order, `abreast` at a time."""
    free = [0.0] * abreast
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


def plan(study: Study, todo: Collection[str] | None, jobs: int, seconds: float) -> Plan:
    """The plan of what is `todo` of a study, names of stages (None: everything), with speeds measured on as many copies
    side by side as run at once: they share the machine's memory and caches. They are kept for `foretold`.

    Raises StudyError if there is no packed data, or if an entry does not fit it.
    """
    from ilsvrc_replay.tools.plan.probe import probe, ready  # with torch, which `replay run` has no use for

    abreast = min(jobs, at_once(study.compute))
    found = {}
    with ProcessPoolExecutor(abreast, multiprocessing.get_context("spawn")) as pool:
        load_s = pool.submit(ready, time.time()).result()
        for entry in left(study, todo):
            probes = [pool.submit(probe, study, entry, seconds) for _ in range(abreast)]
            found[entry] = Timing(mean([future.result() for future in probes]), load_s)
    timings.keep(study, abreast, found)
    return of_timings(study, todo, abreast, found)


def foretold(study: Study, todo: Collection[str], jobs: int) -> Plan | None:
    """The plan of what is `todo`, by what `plan` has measured; None if that was not of all entries that are left."""
    abreast = min(jobs, at_once(study.compute))
    found = timings.recall(study, abreast)
    return of_timings(study, todo, abreast, found) if found.keys() >= left(study, todo).keys() else None


def of_timings(study: Study, todo: Collection[str] | None, abreast: int, found: Mapping[str, Timing]) -> Plan:
    """The plan, with what was measured of the entries that are left."""
    work = [
        Work(found[entry].probe, *counts, found[entry].load_s, searched(study, entry, todo))
        for entry, counts in left(study, todo).items()
    ]
    return Plan(work, len(study.runs), abreast)


def left(study: Study, todo: Collection[str] | None) -> dict[str, tuple[int, int]]:
    """How many runs are to be trained, and how many to be tested alone, of the entries that have such."""
    counts = {entry: (untrained(study, entry, todo), untested(study, entry, todo)) for entry in study.entries}
    return {entry: of_entry for entry, of_entry in counts.items() if any(of_entry)}


def untrained(study: Study, entry: str, todo: Collection[str] | None) -> int:
    """How many runs of an entry are to be trained: all, if stage tune may pass on another rate."""
    if todo is None or f"tune@{entry}" in todo:
        return len(study.seeds)
    return sum(f"train@{run_name(entry, seed)}" in todo for seed in study.seeds)


def searched(study: Study, entry: str, todo: Collection[str] | None) -> float:
    """How many trainings stage tune of an entry amounts to."""
    if todo is not None and f"tune@{entry}" not in todo:
        return 0.0
    return study.tuning.share * sum(map(len, study.grids(entry).values()))


def untested(study: Study, entry: str, todo: Collection[str] | None) -> int:
    """How many runs of an entry are trained and to be tested."""
    names = [run_name(entry, seed) for seed in study.seeds]
    done = len(names) - untrained(study, entry, todo)
    return min(done, sum(f"evaluate@{name}" in todo and f"train@{name}" not in todo for name in names)) if todo else 0


def at_once(compute: Compute) -> int:
    """How many runs the machine carries at full speed."""
    if compute.device != "cpu":
        import torch

        if torch.cuda.is_available():
            return max(1, torch.cuda.device_count() // compute.devices)
    return max(1, len(os.sched_getaffinity(0)) // (compute.threads * compute.devices))


def mean(probes: Sequence[Probe]) -> Probe:
    times = {name: fmean(getattr(p, name) for p in probes) for name in ("images_per_s", "train_s", "test_s", "build_s")}
    return probes[0]._replace(**times, memory_mib=max(p.memory_mib for p in probes))
