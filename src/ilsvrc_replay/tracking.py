"""The study in MLflow: one experiment a study, one parent run an execution of it, one child run a run.

MLflow watches, it decides nothing: when it cannot be reached, one line says so and the training goes on. Its ids and
times stay in it; whoever looks for a run finds it by its tags.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

from ilsvrc_replay.scratch import root

STUDY, RUN, WEIGHTS = "study", "run", "weights_sha256"


def uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root()}/mlflow.db"


def tolerant(method: Callable) -> Callable:
    """Let no failure of MLflow reach the study; after the first one, this tracker is silent."""

    @wraps(method)
    def guarded(self: Tracker, *arguments: Any, **options: Any) -> None:
        if not self.working:
            return
        try:
            method(self, *arguments, **options)
        except Exception as error:  # whatever a server, a disk or a client library comes up with
            self.working = False
            reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            print(f"warning: MLflow at {uri()} fails ({reason}); going on without it", file=sys.stderr, flush=True)

    return guarded


class Tracker:
    """A line to MLflow for one stage of `study`."""

    def __init__(self, study: str) -> None:
        self.study, self.working = study, True
        self.client = self.experiment = self.parent = self.child = None
        self.open()

    @tolerant
    def open(self) -> None:
        """Connect, and find the parent run of this execution: the study's open one, or else a new one."""
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient

        lock = root() / ".mlflow.lock"  # several processes that create one SQLite store at once would break it
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.client = MlflowClient(uri())
            found = self.client.get_experiment_by_name(self.study)
            if found:
                self.experiment = found.experiment_id
            else:
                location = f"file://{root()}/mlartifacts" if uri().startswith("sqlite:") else None
                kind = {"mlflow.experimentKind": "custom_model_development"}  # the pages of trainings, not of chats
                self.experiment = self.client.create_experiment(self.study, artifact_location=location, tags=kind)
            tags = {STUDY: self.study, **provenance()}
            self.parent = self.find({"kind": "study", "dvc.exp": tags.get("dvc.exp", "")}, running=True)
            if self.parent is None:
                name = tags.get("dvc.exp") or f"{self.study} {time.strftime('%Y-%m-%d %H:%M')}"
                self.parent = self.create(name, {"kind": "study", "dvc.exp": "", **tags, "dvc.stage": "all"})

    def find(self, tags: dict[str, str], running: bool = False) -> str | None:
        """The newest run of the study that has these tags."""
        clauses = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        clauses += ["attributes.status = 'RUNNING'"] if running else []
        runs = self.client.search_runs(
            [self.experiment], " and ".join(clauses), order_by=["attributes.start_time DESC"], max_results=1
        )
        return runs[0].info.run_id if runs else None

    def create(self, name: str, tags: dict[str, str]) -> str:
        return self.client.create_run(self.experiment, run_name=name, tags=tags).info.run_id

    @contextmanager
    def run(self, name: str, record: dict[str, Any]) -> Iterator[None]:
        """The child run `name` while the block lasts: finished if it ends well, else failed or killed, and why."""
        self.start_run(name, record)
        try:
            yield
        except BaseException as error:
            killed = isinstance(error, (KeyboardInterrupt, SystemExit))
            self.tag({"ended": f"{type(error).__name__}: {error}"})
            self.end_run("KILLED" if killed else "FAILED")
            raise
        self.end_run("FINISHED")

    @tolerant
    def start_run(self, name: str, record: dict[str, Any]) -> None:
        """Open the child run; one of the same name that was left running, killed, is closed first."""
        from mlflow.entities import Param

        left_over = self.find({RUN: name, "dvc.exp": provenance().get("dvc.exp", "")}, running=True)
        if left_over:
            self.client.set_tag(left_over, "ended", "killed before it could finish")
            self.client.set_terminated(left_over, "KILLED")
        tags = {key: str(record[key]) for key in ("entry", "seed", "architecture")}
        tags |= {"recipe": record["recipe"]["name"], "kind": "run", STUDY: self.study, RUN: name, "dvc.exp": ""}
        self.child = self.create(name, {**tags, **provenance(), "mlflow.parentRunId": self.parent})
        self.client.log_batch(self.child, params=[Param(key, str(value)) for key, value in flatten(record).items()])

    @tolerant
    def log_data(self, name: str, digest: str, folder: str) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(name, digest[:32], "local", f'{{"uri": "{folder}"}}')
        self.client.log_inputs(self.child, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    @tolerant
    def log_metrics(self, metrics: dict[str, float], step: int = 0, run: str | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(run or self.child, [Metric(key, value, now, step) for key, value in metrics.items()])

    @tolerant
    def tag(self, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_tag(self.child, key, value)

    @tolerant
    def end_run(self, status: str) -> None:
        self.client.set_terminated(self.child, status)

    @tolerant
    def log_test(self, run: str, weights: str, metrics: dict[str, float]) -> None:
        """Add test errors to the newest child run that made these weights."""
        found = self.find({RUN: run, WEIGHTS: weights})
        if found:
            self.log_metrics(metrics, run=found)

    @tolerant
    def end_study(self, metrics: dict[str, float], results: Path, description: str) -> None:
        """Close the parent run with the board: its errors as metrics, its files as artifacts."""
        self.log_metrics(metrics, run=self.parent)
        self.client.log_artifacts(self.parent, str(results), "results")
        self.client.set_tag(self.parent, "mlflow.note.content", description)
        self.client.set_terminated(self.parent, "FINISHED")


def provenance() -> dict[str, str]:
    """Tags that say which code and which DVC stage and experiment a run belongs to."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root(), capture_output=True, text=True)
    known = {
        "mlflow.source.git.commit": git.stdout.strip(),
        "dvc.stage": os.environ.get("DVC_STAGE"),
        "dvc.exp": os.environ.get("DVC_EXP_NAME"),
        "dvc.rev": os.environ.get("DVC_EXP_BASELINE_REV"),
    }
    return {key: value for key, value in known.items() if value}


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
