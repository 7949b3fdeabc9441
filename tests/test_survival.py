"""Runs that fail or are killed: named, never taken for finished ones, and no process stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from clone import NETS, Clone, read_until, stages_run
from mlflow import MlflowClient

from ilsvrc_replay.runtime import rwlock


def test_a_training_that_changes_nothing_still_ends_its_study(clone: Clone) -> None:
    file = clone.folder / "src/ilsvrc_replay/nets/zfnet.py"
    file.write_text(file.read_text() + "\n# no change\n")
    said = clone.run("replay", "run")
    assert "zfnet-0  epoch" in said
    assert "alexnet-0  epoch" not in said
    changed = clone.run("git", "status", "--short", "metrics", "results").split()
    assert changed == ["M", "results/miniature/runs.json"], "which names the code"
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("miniature").experiment_id
    parents = client.search_runs([experiment], "tags.kind = 'study'")
    assert [parent.info.status for parent in parents] == ["FINISHED"] * 2
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


def test_runs_one_after_the_other_give_the_same_bytes_as_side_by_side(clone: Clone) -> None:
    before = clone.made()
    stages = [f"{stage}@{name}-0" for name in NETS for stage in ("train", "evaluate")]
    assert stages_run(clone.run("dvc", "repro", "--force", "--single-item", *stages, "aggregate")) == [
        *stages,
        "aggregate",
    ]
    assert clone.made() == before


def test_a_failed_run_is_named_and_stops_no_other(clone: Clone) -> None:
    clone.set("entries.zfnet.lr", 1e6)
    clone.set("entries.alexnet.lr", 0.03)
    (clone.folder / rwlock.FILE).write_text('{"write": {')  # as a kill may leave it: DVC would not start
    said = clone.run("replay", "run", code=1)
    assert "error: the loss is not a number any more" in said
    log = ".scratch/logs/zfnet-0.log"
    assert f"error: failed: zfnet-0 (what it said: {log}); the others are done" in said
    assert "error: the loss is not a number any more" in (clone.folder / log).read_text()
    assert "alexnet-0  single_crop: top-1 error" in said
    assert "train@zfnet-0" in clone.run("dvc", "status")
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL]
)
def test_a_launcher_that_ends_ends_every_process(clone: Clone, number: signal.Signals) -> None:
    clone.set("entries.alexnet.epochs", 500.0)
    process = clone.start("replay", "run")
    said = read_until(process, " epoch ")
    refused = clone.run("replay", "run", code=1)
    assert "error: another `replay run` is at work in this folder: wait for it, or stop it" in refused
    os.kill(process.pid, number)
    said += process.stdout.read()
    assert process.wait() == (130 if number != signal.SIGKILL else -number)
    if number != signal.SIGKILL:
        assert "error: stopped; what was finished is kept, run again to go on" in said
    assert "Traceback" not in said
    assert clone.is_quiet()
    assert not rwlock.named(json.loads((clone.folder / rwlock.FILE).read_bytes())), "DVC gave up its files"
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


def test_a_killed_run_goes_on_and_ends_in_the_same_weights(clone: Clone) -> None:
    unbroken, states = clone.lock()["train@alexnet-0"]["outs"], clone.folder / ".scratch/runs/alexnet-0"
    others = set(states.glob("*/"))  # of other settings
    repro = ("dvc", "repro", "--force", "--single-item", "train@alexnet-0")
    process = clone.start(*repro, REPLAY_KEEP_SECONDS="0")
    read_until(process, " epoch 1.00")
    process.kill()  # DVC alone: the stage ends with it
    process.stdout.read()
    process.wait()
    assert clone.is_quiet()
    assert clone.lock()["train@alexnet-0"]["outs"] == unbroken, "nothing was recorded"
    assert "alexnet-0  going on after step" in clone.run(*repro)
    assert clone.lock()["train@alexnet-0"]["outs"] == unbroken
    assert set(states.glob("*/")) == others, "its own is gone"
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("miniature").experiment_id
    (newest,) = client.search_runs([experiment], "tags.run = 'alexnet-0'", max_results=1)
    assert newest.info.status == "FINISHED"
    assert len(client.get_metric_history(newest.info.run_id, "val/top1_err")) == 4, "one run, with all its points"


def test_a_terminated_training_is_never_taken_for_a_finished_one(clone: Clone) -> None:
    before = clone.lock()["train@alexnet-0"]
    clone.set("entries.alexnet.epochs", 500.0)
    process = clone.start("dvc", "repro", "train@alexnet-0")
    said = read_until(process, " epoch ")
    trainer = subprocess.check_output(["pgrep", "-g", str(process.pid), "-f", "^python pipelines/train.py"])
    os.kill(int(trainer), signal.SIGTERM)
    said += process.stdout.read()
    assert process.wait() != 0, said
    assert "error: stopped after step" in said
    assert clone.lock()["train@alexnet-0"] == before
    assert not list((clone.folder / "runs/alexnet-0").glob("weights*"))
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("dvc", "checkout", "-q", "--force")
