"""Run a study with several runs side by side, by stock DVC.

DVC runs one stage after the other. This starts `dvc repro --single-item` for several stages at once, in graph order,
and leaves all bookkeeping to DVC: the results are those of a plain `dvc repro`, byte for byte.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from types import FrameType

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime.console import log, watcher
from ilsvrc_replay.runtime.dvc_processes import DVC, REPRO, RESOLVE, Processes, pending
from ilsvrc_replay.runtime.gpus import Cards
from ilsvrc_replay.runtime.rwlock import mend
from ilsvrc_replay.runtime.scratch import locked, root, scratch
from ilsvrc_replay.runtime.tracking import LATER, sync

BeforeRuns = Callable[[Collection[str]], str | None]  # of the names of the stages to do; what to say of them


class Launcher:
    """Runs stages of the study in the current folder, `jobs` at a time at the most, each run on GPUs of its own."""

    def __init__(self, jobs: int, cards: Cards | None = None) -> None:
        self.cards = cards or Cards([], 1)
        self.pool = ThreadPoolExecutor(jobs)
        self.forced: set[str] = set()
        self.groups: dict[str, list[str]] = {}  # by name, stages in order that one DVC does
        self.trainings: set[str] = set()  # the groups that train
        self.watcher = watcher()
        self.processes = Processes(self.watcher)

    def run(
        self,
        runs: Mapping[str, Sequence[str]],
        searches: Collection[str],
        before_runs: BeforeRuns,
    ) -> None:
        """Bring the whole study up to date: `runs` are the names of its runs by entry, `searches` the entries of which
        stage tune trains. Raises StudyError naming the stages that failed; the others are done. `before_runs` is called
        with the names of the stages to do if there are runs among them, and may refuse by a StudyError.

        A second launcher meanwhile is refused.
        """
        refusal = "another `replay run` is at work in this folder: wait for it, or stop it"
        with locked(scratch("launcher") / "lock", refusal):
            mend()
            self.bring_up_to_date(runs, searches, before_runs)

    def bring_up_to_date(
        self,
        runs: Mapping[str, Sequence[str]],
        searches: Collection[str],
        before_runs: BeforeRuns,
    ) -> None:
        if not self.do(RESOLVE):
            raise StudyError(f"failed: {with_log(RESOLVE)}")
        todo = pending()
        if not todo:
            print("everything is up to date")
            return
        announced = self.announce(runs, todo, before_runs)
        previous = signal.signal(signal.SIGTERM, interrupt)
        try:
            with self.watcher:
                self.work(runs, searches, todo, None if announced else before_runs)
        except KeyboardInterrupt:
            self.stop()
            raise
        finally:
            self.pool.shutdown()
            signal.signal(signal.SIGTERM, previous)

    def announce(self, runs: Mapping[str, Sequence[str]], todo: set[str], before_runs: BeforeRuns | None) -> bool:
        """Say what there is to do, if runs are among it, which `before_runs` may refuse."""
        if before_runs is None or not any("@" in stage for stage in todo):
            return False
        print("; ".join(filter(None, [how_many(runs, todo), before_runs(todo)])), flush=True)
        return True

    def work(
        self,
        runs: Mapping[str, Sequence[str]],
        searches: Collection[str],
        todo: set[str],
        before_runs: BeforeRuns | None,
    ) -> None:
        """Run what is `todo`: the data with all that needs none of it, then what entries search, then the runs, then
        the board. `before_runs` is called if it has not been: new data may call for runs that were up to date."""
        trainings = {f"train@{run}" for names in runs.values() for run in names}
        first = [self.begin("acquire", "prepare")] if todo & {"acquire", "prepare"} else []
        beside = [self.begin(name) for name in ("claims", "viewer") if name in todo]
        end(first)
        if first and not todo >= trainings:  # what they made may differ from before, or not
            wait(beside)  # DVC says nothing of a stage at work
            todo = pending()
            self.announce(runs, todo, before_runs)
        tuned = self.tune(runs, searches, todo, beside)
        failed = {name for group, done in tuned.items() if done.result() for name in self.groups[group]}
        if tuned and not todo >= trainings:
            wait(beside)
            todo = pending()
        started, tuned_well = [], [entry for entry in runs if f"tune@{entry}" not in failed]
        todo = self.make_ready({entry: runs[entry] for entry in tuned_well}, todo, beside)
        for entry in reversed(tuned_well):  # later nets are heavier
            for run in reversed(runs[entry]):
                self.groups[run] = [f"train@{run}", f"evaluate@{run}"]
                self.trainings.add(run)
                started += [self.begin(run)] if todo & {*self.groups[run]} else []
        try:
            end([*tuned.values(), *started, *beside])
        except StudyError as error:
            with suppress(StudyError):  # is said by `replay sync`
                sync()
            raise StudyError(f"{error}; the others are done") from None
        end([self.begin("aggregate")])
        # Forced after a training: equal weights would let DVC skip it, and the study in MLflow would stay open.
        self.forced = {"page"} if started else set()
        end([self.begin("page")])

    def tune(
        self,
        runs: Mapping[str, Sequence[str]],
        searches: Collection[str],
        todo: set[str],
        beside: Collection[Future[str | None]],
    ) -> dict[str, Future[str | None]]:
        """Begin stage tune of the entries, and wait until it is done: of each that searches by itself, of the others,
        which takes a moment each, of all at once."""
        copies = [f"tune@{entry}" for entry in runs if entry not in searches and f"tune@{entry}" in todo]
        own = [f"tune@{entry}" for entry in reversed(runs) if entry in searches and f"tune@{entry}" in todo]
        self.groups |= {name: [name] for name in own} | ({"tune": copies} if copies else {})
        self.trainings |= {*own}
        started = {"tune": self.begin("tune")} if copies else {}
        todo = self.make_ready({}, todo, [*beside, *started.values()]) if own else todo
        started |= {name: self.begin(name) for name in own if name in todo}
        wait(started.values())
        return started

    def make_ready(
        self, runs: Mapping[str, Sequence[str]], todo: set[str], beside: Collection[Future[str | None]]
    ) -> set[str]:
        """Called before searches, without runs, and before these runs begin, while others are at work `beside`; returns
        what is still to do then."""
        return todo

    def begin(self, *names: str) -> Future[str | None]:
        """Do stages or runs one after the other, as soon as there is a place; the result is what failed, if any."""
        return self.pool.submit(lambda: next((name for name in names if not self.do(name)), None))

    def do(self, name: str) -> bool:
        """Bring a stage or a run up to date; False if it failed."""
        if name in self.trainings:
            return self.train(name)
        with self.watched(name) as ended:
            ended.append(self.reproduce(name, self.groups.get(name, [name]), {}))
        return ended[0]

    def train(self, name: str) -> bool:
        with self.cards.taken() as environment, self.watched(name) as ended:
            ended.append(self.reproduce(name, self.groups[name], environment | {LATER: "1"}))
        return ended[0]

    @contextmanager
    def watched(self, name: str, where: str = "") -> Iterator[list[bool]]:
        """Show that it is at work while the block lasts, which puts into the list whether it was done."""
        ended: list[bool] = []
        self.watcher.begin(name, name in self.trainings, where)
        try:
            yield ended
        finally:
            self.watcher.end(name, any(ended))

    def reproduce(self, name: str, stages: list[str], environment: dict[str, str]) -> bool:
        forced = ["--force"] if name in self.forced else []
        return self.processes.execute(name, ["-c", DVC, *REPRO, *forced, *stages], environment)

    def stop(self) -> None:
        """End all that is at work."""
        self.processes.stop()


def how_many(runs: Mapping[str, Sequence[str]], todo: Collection[str]) -> str:
    """How many runs there are to do, in a sentence; all of an entry whose search may choose another value."""
    stages = {name: (f"tune@{entry}", f"train@{name}", f"evaluate@{name}") for entry in runs for name in runs[entry]}
    left = sum(not todo.isdisjoint(of_run) for of_run in stages.values())
    return f"{left} of {len(stages)} runs to do"


def end(started: Iterable[Future[str | None]]) -> None:
    """Wait for all of them. Raises StudyError naming those that failed."""
    failed = sorted(name for done in started if (name := done.result()))
    if failed:
        raise StudyError(f"failed: {', '.join(map(with_log, failed))}")


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def with_log(name: str) -> str:
    return f"{name} (what it said: {log(name).relative_to(root())})" if log(name).exists() else name


def outdated() -> set[str]:
    """The stages that are not up to date by params.yaml as it is now. Raises StudyError if DVC cannot say."""
    with locked(scratch("launcher") / "lock", "`replay run` is at work in this folder: it says itself how far it is"):
        mend()
        done = subprocess.run([sys.executable, "-c", DVC, "repro", "--single-item", RESOLVE], stdout=subprocess.DEVNULL)
        if done.returncode:
            raise StudyError(f"failed: {RESOLVE}")
        return pending()


def default_jobs(compute: Compute, cards: Cards) -> int:
    """As many runs at once as there are GPUs for, or else as the cores carry, and one more: one is always loading."""
    cores = compute.threads * compute.devices
    return len(cards.groups) or max(1, len(os.sched_getaffinity(0)) // cores) + 1
