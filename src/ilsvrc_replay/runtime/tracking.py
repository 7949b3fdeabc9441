"""The study in MLflow: one experiment a study, one parent run an execution of it, one child run a run.

MLflow watches, it decides nothing: a stage never waits for it. What a stage has to say is written to .scratch/mlflow
and sent from there; when MLflow cannot be reached, one line says so, the training goes on, and what was not sent goes
with the next stage that reaches MLflow, or by `replay sync`. MLflow's ids and times stay in it; whoever looks for a run
finds it by its tags.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_json
from ilsvrc_replay.runtime.mlflow_store import Store
from ilsvrc_replay.runtime.scratch import locked, root, scratch
from ilsvrc_replay.runtime.spool import LeftOver, Spool, left_over

LATER = "REPLAY_MLFLOW_LATER"  # set where a later stage will send: a short stage need not load MLflow's client for it
PATIENCE = 120.0  # seconds that a stage counts as short
WAIT, WAIT_KILLED = 15.0, 3.0  # seconds at the end of a stage for what is not sent yet; those of a stage that is killed
WAIT_LAST = 600.0  # those of the stage that ends a study: it sends what all stages left, and none comes after it
NOT_PARAMS = ("entry", "seed", "data", "normalisation", "versions")  # tags, inputs, or the same in all runs


def configured() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def uri(named: str | None = None) -> str:
    """The MLflow of now, or `named`; the path of an SQLite store counts from the checkout, wherever it lies by now."""
    named = configured() if named is None else named
    _, sqlite, path = named.rpartition("sqlite:///")
    return f"sqlite:///{root() / path}" if sqlite else named


class Tracker:
    """A line to MLflow for one stage of `study`, until the block ends."""

    def __init__(self, study: str | None = None) -> None:
        study = study or read_json(Path("resolved/study.json"))["study"]
        self.uri, self.study, self.tags = uri(), study, provenance()
        self.store: Store | None = None
        self.child, self.last = "", False
        patience = PATIENCE if os.environ.get(LATER) else 0.0
        header = {"uri": configured(), "study": study, "tags": self.tags}
        self.spool = Spool(scratch("mlflow"), header, self.deliver, self.warn, send_left_over, patience)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        wait = WAIT_LAST if self.last else WAIT
        self.close(wait if kind is None or issubclass(kind, Exception) else WAIT_KILLED)

    def close(self, wait: float = WAIT) -> None:
        if self.spool.close(wait) and self.last and not self.spool.warned:
            print("warning: MLflow has not got all yet; the rest is kept: send it by `replay sync`", file=sys.stderr)

    def deliver(self, record: dict[str, Any]) -> None:
        if self.store is None:
            self.store = Store(self.uri, self.study, self.tags)
        self.store.send(record)

    def warn(self, error: Exception) -> None:
        print(
            f"warning: MLflow at {self.uri} fails ({reason(error)}); what it should get is kept and sent later, by the"
            " next stage or by `replay sync`",
            file=sys.stderr,
            flush=True,
        )

    def say(self, what: str, **values: Any) -> None:
        self.spool.add({"what": what, **values, "at": int(time.time() * 1000)})

    @contextmanager
    def run(self, name: str, record: dict[str, Any], key: str | None = None) -> Iterator[None]:
        """The child run `name` while the block lasts: finished if it ends well, else failed or killed, and why.

        A run with the same `key`, of a process that was killed, is gone on with.
        """
        self.start_run(name, record, key)
        try:
            yield
        except BaseException as error:
            killed = isinstance(error, (KeyboardInterrupt, SystemExit))
            self.tag({"ended": f"{type(error).__name__}: {error}"})
            self.end_run("KILLED" if killed else "FAILED")
            raise
        self.tag({"ended": "well"})
        self.end_run("FINISHED")

    def start_run(self, name: str, record: dict[str, Any], key: str | None = None) -> None:
        self.child = key or uuid.uuid4().hex
        tags = {key: str(record[key]) for key in ("entry", "seed")}
        tags |= {"architecture": record["net"]["architecture"], "recipe": record["recipe_name"]}
        tags |= flatten(record.get("versions", {}), "versions.")
        told = {key: value for key, value in record.items() if key not in NOT_PARAMS}
        params = {key: str(value) for key, value in flatten(told).items()}
        self.say("start_run", run=self.child, name=name, tags=tags, params=params)

    def log_data(self, name: str, digest: str, folder: str) -> None:
        self.say("log_data", run=self.child, name=name, digest=digest, folder=folder)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.say("log_metrics", run=self.child, metrics=metrics, step=step)

    def tag(self, tags: dict[str, str]) -> None:
        self.say("tag", run=self.child, tags=tags)

    def end_run(self, status: str) -> None:
        self.say("end_run", run=self.child, status=status)

    def log_test(self, run: str, weights: str, metrics: dict[str, float]) -> None:
        """Add test errors to the newest child run that made these weights."""
        self.say("log_test", run=run, weights=weights, metrics=metrics)

    def register(self, entry: str, weights: dict[str, str]) -> None:
        """File an entry's runs, by name with the checksum of their weights, as versions of a registered model."""
        self.say("register", entry=entry, weights=weights)

    def end_study(self, metrics: dict[str, float], results: Path, description: str, weights: dict[str, str]) -> None:
        """Close the parent run with the board: its errors as metrics, its files as artifacts, its runs, by name with
        the checksum of their weights, as a table with links. The block then ends when MLflow has got all, or fails."""
        self.last = True
        self.say("end_study", metrics=metrics, results=from_root(results), description=description, weights=weights)


def send_left_over(everything: bool = False) -> int:
    """Send what other processes left for the MLflow of now, or for any; returns how many records that was."""
    with locked(scratch("mlflow") / "sending"), left_over(scratch("mlflow")) as spools:
        return sum(send(spool) for spool in spools if everything or uri(spool.header.get("uri", "")) == uri())


def send(spool: LeftOver) -> int:
    """Send the rest of a spool. Runs that its process had no time to end were killed."""
    if not spool.records:
        return spool.empty_into(lambda record: None)
    store = Store(uri(spool.header["uri"]), spool.header["study"], spool.header["tags"])
    started = {record["run"] for record in spool.records if record["what"] == "start_run"}
    ended = {record["run"] for record in spool.records if record["what"] == "end_run"}
    last = spool.records[-1]["at"]
    for run in started - ended:
        spool.records.append(
            {"what": "tag", "run": run, "tags": {"ended": "killed before it could finish"}, "at": last}
        )
        spool.records.append({"what": "end_run", "run": run, "status": "KILLED", "at": last})
    return spool.empty_into(store.send)


def from_root(path: Path) -> str:
    """As it is found after the checkout was moved; a path of another folder, as DVC's temporary ones, stays whole."""
    path = path.absolute()
    return str(path.relative_to(root()) if path.is_relative_to(root()) else path)


def sync() -> int:
    """Send all that was kept. Raises StudyError if MLflow cannot be reached still."""
    try:
        return send_left_over(everything=True)
    except Exception as error:  # whatever a server, a disk or a client library comes up with
        raise StudyError(f"MLflow fails ({reason(error)}); what it should get is kept, try again later") from None


def reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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
