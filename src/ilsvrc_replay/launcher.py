"""Run a study with several runs side by side, by stock DVC.

DVC runs one stage after the other. This starts `dvc repro --single-item` for several stages at once, in graph order,
and leaves all bookkeeping to DVC: the results are those of a plain `dvc repro`, byte for byte.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType

from ilsvrc_replay.cards import Cards
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leash import GRACE
from ilsvrc_replay.params import Compute, Study, run_name
from ilsvrc_replay.scratch import locked, root, scratch
from ilsvrc_replay.tracking import LATER, sync
from ilsvrc_replay.watching import log, pieces, watcher

BUSY, TRIES = "is busy", 20  # DVC's word for a file that another stage is just recording


class Launcher:
    """Runs stages of the study in the current folder, `jobs` at a time at the most, each run on GPUs of its own."""

    def __init__(self, jobs: int, cards: Cards | None = None) -> None:
        self.jobs, self.cards = jobs, cards or Cards([], 1)
        self.running: set[subprocess.Popen] = set()
        self.stopping = False
        self.lock = threading.Lock()
        self.watcher = watcher()

    def run(self, study: Study) -> None:
        """Bring the whole study up to date. Raises StudyError naming the stages that failed; the others are done.

        A second launcher meanwhile is refused.
        """
        refusal = "another `replay run` is at work in this folder: wait for it, or stop it"
        with locked(scratch("launcher") / "lock", refusal):
            self.bring_up_to_date(study)

    def bring_up_to_date(self, study: Study) -> None:
        todo = pending()
        if not todo:
            print("everything is up to date")
            return
        previous = signal.signal(signal.SIGTERM, interrupt)
        pool = ThreadPoolExecutor(self.jobs)
        self.watcher.__enter__()
        try:
            if {"acquire", "prepare", "architecture"} & {stage.partition("@")[0] for stage in todo}:
                for first in ("acquire", "prepare", "architecture"):
                    self.must(first)
                todo = pending()
            names = [run_name(entry, seed) for entry, seed in study.runs]
            names = [name for name in names if todo & {f"train@{name}", f"evaluate@{name}"}]
            chains = [pool.submit(self.chain, name) for name in reversed(names)]  # later nets are heavier: start first
            beside = {name: pool.submit(self.stage, name) for name in ("claims", "viewer") if name in todo}
            failed = [stage for chain in chains if (stage := chain.result())]
            failed += [name for name, done in beside.items() if not done.result()]
            if failed:
                with suppress(StudyError):  # is said by `replay sync`
                    sync()
                raise StudyError(f"failed: {', '.join(map(with_log, sorted(failed)))}; the others are done")
            self.must("aggregate")
            # Forced after a training: equal weights would let DVC skip it, and the study in MLflow would stay open.
            self.must("page", *(["--force"] if names else []))
        except KeyboardInterrupt:
            self.stop()
            raise
        finally:
            pool.shutdown()
            self.watcher.__exit__(None, None, None)
            signal.signal(signal.SIGTERM, previous)

    def chain(self, name: str) -> str | None:
        """Train and evaluate one run; returns the stage that failed, if any."""
        return next((stage for stage in (f"train@{name}", f"evaluate@{name}") if not self.stage(stage)), None)

    def must(self, name: str, *options: str) -> None:
        if not self.stage(name, *options):
            raise StudyError(f"failed: {with_log(name)}")

    def stage(self, name: str, *options: str) -> bool:
        """Run one stage if it is not up to date; False if it failed."""
        self.watcher.begin(name)
        try:
            if not name.startswith(("train@", "evaluate@")):
                return self.try_stage(name, {}, *options)
            with self.cards.taken() as environment:
                return self.try_stage(name, environment | {LATER: "1"}, *options)
        finally:
            self.watcher.end(name)

    def try_stage(self, name: str, environment: dict[str, str], *options: str) -> bool:
        command = ["dvc", "--wait-for-lock", "repro", "--quiet", "--single-item", *options, name]
        for _ in range(TRIES):
            with self.lock:
                if self.stopping:
                    return False
                # A process group of its own: to stop DVC alone would leave the training it started running.
                process = subprocess.Popen(
                    [sys.executable, "-m", "ilsvrc_replay.leash", str(os.getpid()), *command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=self.watcher.environment | environment,
                    start_new_session=True,
                )
                self.running.add(process)
            said = self.relay(name, process)
            with self.lock:
                self.running.discard(process)
            if process.returncode == 0:
                return True
            if BUSY not in said:
                return False
            time.sleep(0.5)
        return False

    def relay(self, stage: str, process: subprocess.Popen) -> str:
        """Pass on what a stage says as it says it, but for DVC's word of a busy file; returns its standard error."""
        said: list[str] = []

        def errors() -> None:
            for line, _ in pieces(process.stderr):
                said.append(line)
                if BUSY not in line:
                    self.watcher.line(stage, line, sys.stderr)

        reader = threading.Thread(target=errors)
        reader.start()
        for line, moving in pieces(process.stdout):
            if moving:
                self.watcher.progress(stage, line)
            else:
                self.watcher.line(stage, line, sys.stdout)
        reader.join()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        return "\n".join(said)

    def stop(self) -> None:
        """End every running stage with all processes that it started."""
        with self.lock:
            self.stopping = True
            running = list(self.running)
        for number, wait in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            for process in running:
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + wait
            for process in running:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    break
            else:
                return


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def with_log(stage: str) -> str:
    return f"{stage} (what it said: {log(stage).relative_to(root())})" if log(stage).exists() else stage


def pending() -> set[str]:
    """The stages that are not up to date by themselves. Raises StudyError with DVC's reason if it cannot say."""
    status = subprocess.run(["dvc", "status", "--json"], capture_output=True, text=True)
    if status.returncode:
        lines = [line for line in status.stderr.splitlines() if line.startswith("ERROR")]
        raise StudyError((lines or status.stderr.strip().splitlines() or ["dvc status failed"])[0])
    return set(json.loads(status.stdout))


def default_jobs(compute: Compute, cards: Cards) -> int:
    """As many runs at once as there are GPUs for, or else as the cores carry, and one more: one is always loading."""
    cores = compute.threads * compute.devices
    return len(cards.groups) or max(1, len(os.sched_getaffinity(0)) // cores) + 1
