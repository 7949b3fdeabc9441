"""Whole studies killed at many moments, run side by side and run twice: always the same bytes. Minutes each."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from clone import Clone, read_until
from mlflow import MlflowClient

from ilsvrc_replay.runtime import rwlock

Summary = Callable[[str], None]
pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]


def make(folder: Path, entries: tuple[str, ...] = ("alexnet", "zfnet")) -> Clone:
    clone = Clone(folder)
    clone.keep(*entries)
    clone.set("entries.alexnet.epochs", 8.0)
    return clone


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A study that nothing disturbed, by plain `dvc repro`."""
    clone = make(tmp_path_factory.mktemp("unbroken") / "clone")
    clone.run("dvc", "repro")
    return clone


ORDER = ("acquire", "prepare", "train", "evaluate", "aggregate", "page")
MOMENTS = ["acquire"] * 2 + ["prepare"] * 2 + ["train"] * 10 + ["evaluate"] * 3 + ["aggregate"] * 2 + ["page"]


def test_a_study_killed_twenty_times_ends_in_the_same_bytes(unbroken: Clone, tmp_path: Path, summary: Summary) -> None:
    clone, rng = make(tmp_path / "another/path"), random.Random(0)  # noqa: S311
    killed: Counter[str] = Counter()
    gone_on, mended = 0, 0
    for number, stage in enumerate(MOMENTS):
        command = ("replay", "run", "--jobs", "2") if number % 2 else ("dvc", "repro")
        if command[0] == "dvc" and not is_whole(clone):  # DVC cannot start
            command = ("replay", "run", "--jobs", "2")
        mended += command[0] == "replay" and rwlock.is_stale(clone.folder)
        process = clone.start(*command, REPLAY_KEEP_SECONDS="0")
        seen = wait_for(clone, process, stage)
        if seen == "train" and number % 3:
            wait_for_state(clone, process)
        time.sleep(rng.uniform(0, 1 if seen in ORDER[-2:] else 3))
        running = stages_of(clone) or ["between stages"]
        broken_off = process.poll() is None
        if broken_off:
            killed.update(running[:1])
            os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate()[0]
        gone_on += said.count("going on after step")
        assert broken_off or process.returncode == 0, said
        assert clone.is_quiet(30)
    clone.run("replay", "run")
    moments = ", ".join(f"{count} in {stage}" for stage, count in killed.items())
    summary(f"a study killed {killed.total()} times ({moments}): the same bytes; {gone_on} trainings went on")
    summary(f"after {mended} of them `replay run` mended DVC's list of its processes")
    assert killed.total() >= 18
    assert killed["train"] >= 5
    assert gone_on
    clone.run("dvc", "repro")
    assert clone.made() == unbroken.made()
    assert "up to date" in clone.run("dvc", "status")


def is_whole(clone: Clone, within: float = 15) -> bool:
    """Whether DVC's list of its processes is not stale, or no more so after some seconds: the system waits for those
    that were killed, and nothing but `replay run` mends a list that was cut off."""
    deadline = time.monotonic() + within
    while rwlock.is_stale(clone.folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def stages_of(clone: Clone) -> list[str]:
    """The stages whose script is at work in the clone."""
    found = []
    for process in clone.processes():
        with suppress(OSError):  # ended meanwhile
            words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
            found += [Path(word).stem for word in words[1:2] if word.startswith("pipelines/")]
    return found


def wait_for(clone: Clone, process: subprocess.Popen, stage: str) -> str:
    """Wait until `stage` or a later one runs, or until the study has ended; returns the stage that runs."""
    while process.poll() is None:
        for running in stages_of(clone):
            if running in ORDER and ORDER.index(running) >= ORDER.index(stage):
                return running
        time.sleep(0.05)
    return ""


def wait_for_state(clone: Clone, process: subprocess.Popen) -> None:
    """Wait until a training keeps its state anew, or until the study has ended."""
    started = time.time()
    while process.poll() is None:
        kept = (clone.folder / ".scratch/runs").glob("*/*/state.ckpt")
        if any(changed(path) > started for path in kept):
            return
        time.sleep(0.05)


def changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # its training has just ended
        return 0.0


def test_a_forced_reproduction_gives_the_same_lock_again(unbroken: Clone, summary: Summary) -> None:
    before = unbroken.made()
    for _ in range(2):
        unbroken.run("dvc", "repro", "--force")
        assert unbroken.made() == before
    summary(f"two forced reproductions: {len(before)} files and stages the same")


def test_twelve_runs_side_by_side_are_the_same_as_one_after_the_other(tmp_path: Path, summary: Summary) -> None:
    clones = [make(tmp_path / name / "clone") for name in ("serial", "parallel")]
    for clone in clones:
        clone.set("seeds", list(range(6)))
        for name in ("alexnet", "zfnet"):
            clone.set(f"entries.{name}.epochs", 0.1)
    clones[0].run("dvc", "repro")
    clones[1].run("replay", "run", "--jobs", "4")
    assert len(list((clones[0].folder / "metrics").glob("*.json"))) == 12
    assert clones[0].made() == clones[1].made()
    summary(f"12 runs, 4 at a time: {len(clones[0].made())} files and stages as one after the other")


def test_a_server_that_goes_away_in_mid_training_loses_nothing(tmp_path: Path, summary: Summary) -> None:
    clone = make(tmp_path / "clone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with server(tmp_path, port):
        process = clone.start("dvc", "repro", MLFLOW_TRACKING_URI=address)
        said = read_until(process, "alexnet-0  epoch")
    said += process.stdout.read()
    assert process.wait() == 0, said
    assert f"warning: MLflow at {address} fails" in said
    with server(tmp_path, port):
        assert "nothing is left to send" in clone.run("replay", "sync")
        client = MlflowClient(address)
        experiment = client.get_experiment_by_name("miniature").experiment_id
        runs = client.search_runs([experiment], "tags.kind = 'run'")
        assert {run.info.run_name: run.info.status for run in runs} == {"alexnet-0": "FINISHED", "zfnet-0": "FINISHED"}
        board = {f"{row['entry']}-0": float(row["top1_err"]) for row in clone.board()}
        for run in runs:
            lines = (clone.folder / f"runs/{run.info.run_name}/curves.csv").read_text().splitlines()
            assert len(client.get_metric_history(run.info.run_id, "val/top1_err")) == len(lines) - 1
            assert run.data.metrics["test/single_crop/top1_err"] == board[run.info.run_name]
        (parent,) = client.search_runs([experiment], "tags.kind = 'study'")
        assert parent.info.status == "FINISHED"
    summary(f"MLflow's server gone in mid-training: {len(runs)} runs and all their points there afterwards")


@contextmanager
def server(folder: Path, port: int) -> Iterator[None]:
    """An MLflow server with its store in `folder`, from the moment it answers."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/server.db"),
            *("--artifacts-destination", f"{folder}/artifacts", "--port", str(port), "--workers", "1"),
        ],
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
