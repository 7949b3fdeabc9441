"""The study in MLflow: one experiment a study, one parent run an execution of it, one child run a run.

MLflow watches, it decides nothing. What it shows is in files: those that runs and studies leave and, until MLflow has
it, accounts in .scratch/mlflow, one of each training (see live.py) and of each execution of a study. When MLflow cannot
be reached, one line says so and the study goes on; the next stage that reaches MLflow brings it up to date, or
`replay sync` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.run import CURVE, RECORD
from ilsvrc_replay.runtime.mlflow_runs import Runs, reason, refusals
from ilsvrc_replay.runtime.projection import Account, project_study, project_training
from ilsvrc_replay.runtime.scratch import locked, root, scratch

LATER = "REPLAY_MLFLOW_LATER"  # set where a later stage will send: a short stage need not load MLflow's client for it
NOT_HERE = "not here"  # its value where another machine will send, whatever the stage's length


def configured() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"


def uri(named: str | None = None) -> str:
    """The MLflow of now, or `named`; the path of an SQLite store counts from the checkout, wherever it lies by now."""
    named = configured() if named is None else named
    _, sqlite, path = named.rpartition("sqlite:///")
    return f"sqlite:///{root() / path}" if sqlite else named


def new(key: str, **values: Any) -> Account:
    """What every account says, and `values`."""
    study = files.read_json(Path("resolved/study.json"))["study"]
    return {"key": key, "study": study, "uri": configured(), "at": now()} | values


def of_training(run: str, record: dict[str, Any], key: str) -> Account:
    """The account of a training that begins, or that goes on: then what is known of it stays."""
    before = read(place(key)) or {"at": now(), "curve": []}
    known = {"run": run, "record": record, "tags": provenance(), "at": before["at"], "curve": before["curve"]}
    return new(key, **known, status="RUNNING", ended="", ended_at=0, errors={}, tested_at=0)


def of_files(run: str, tested: bool) -> Account:
    """The account of a finished training by its files; with its test errors, if it has been `tested` since."""
    folder, errors = Path("runs") / run, {}
    record, at = files.read_json(folder / RECORD), int((folder / RECORD).stat().st_mtime * 1000)
    rows = [{name: float(value) for name, value in row.items()} for row in files.read_csv(folder / CURVE)]
    curve = [row | {"step": int(row["step"]), "at": at} for row in rows]
    for protocol, measured in (files.read_json(Path("metrics") / f"{run}.json") if tested else {}).items():
        if isinstance(measured, dict):
            errors |= {f"test/{protocol}/{name}": measured[name] for name in ("top1_err", "top5_err")}
    state = {"status": "FINISHED", "ended": "well", "ended_at": at, "errors": errors, "tested_at": now()}
    tags = {"dvc.stage": f"train@{run}"}  # by which code is not known
    return new("", run=run, record=record, tags=tags, at=at, curve=curve, **state)


def close_study(runs: Iterable[str], board: dict[str, float], results: Path, note: str) -> None:
    """Show the study as it is now, which ends an execution: the board, the runs with their test errors, the models.

    Returns when MLflow has it, with all that was left over before, or fails.
    """
    path = results.absolute()  # kept from the checkout's root, which may be moved; DVC's temporary ones stay whole
    folder = str(path.relative_to(root()) if path.is_relative_to(root()) else path)
    shown = {"board": board, "results": folder, "note": note, "runs": [of_files(run, tested=True) for run in runs]}
    try:
        write(new(uuid.uuid4().hex, tags=provenance(), status="FINISHED", **shown))
        send()
    except Exception as error:  # whatever a server, a disk or a client library comes up with
        warn(error)


def sync() -> None:
    """Bring every MLflow up to date with what was kept for it, and that of now with the study's finished runs.

    Raises StudyError if one cannot be reached.
    """
    try:
        send(everything=True)
        send(*finished())
    except StudyError:
        raise
    except Exception as error:  # whatever a server, a disk or a client library comes up with
        raise StudyError(f"MLflow fails ({reason(error)}); what it should get is kept, try again later") from None


def finished() -> Iterator[Account]:
    """The accounts of the finished runs that are as stage tune says, but for those that have another one still."""
    others = {account.get("run") for account in map(read, folder().glob("*.json")) if account}
    for path in sorted(Path("runs").glob("*/training.json")):
        record, run = files.read_json(path), path.parent.name
        tuned = Path("tuning") / record["entry"] / "run.json"
        wanted = files.read_json(tuned) if tuned.exists() else {"entry": None}
        current = all(record.get(key) == wanted[key] for key in wanted.keys() - {"testing", "weights"})
        if current and run not in others:
            yield of_files(run, tested=False)


def send(*accounts: Account, everything: bool = False) -> None:
    """Bring MLflow up to date with what processes that have ended left for it, oldest first, and with `accounts`.

    One process at a time: those that begin a store, or an execution's parent run, at once would make two.
    """
    with locked(folder() / "lock"):
        for account in sorted(left_over(), key=lambda account: account["at"]):
            if everything or uri(account["uri"]) == uri():
                last = account["curve"][-1] if account.get("curve") else account
                killed = {"status": "KILLED", "ended": "killed before it could finish", "ended_at": last["at"]}
                show(account | killed if account["status"] == "RUNNING" else account)
                with suppress(StudyError), held(account["key"], "it is gone on with"):
                    if read(place(account["key"])) == account:
                        forget(account["key"])
        for account in accounts:
            show(account)


def left_over() -> Iterator[Account]:
    """The accounts that no process holds."""
    for path in folder().glob("*.json"):
        with suppress(StudyError), held(path.stem, "its training goes on"):
            if account := read(path):
                yield account


def show(account: Account) -> None:
    project = project_study if "board" in account else project_training
    with refusals(account.get("run", account["study"])):
        project(Runs(uri(account["uri"]), account["study"]), account)


def handed_over(runs: Collection[str]) -> list[Account]:
    """The accounts of these runs' trainings that have ended unsent, for another checkout to keep: they leave this one.

    An account that MLflow has got from here already is not among them.
    """
    over = [account for account in left_over() if account.get("run") in runs]
    for account in over:
        forget(account["key"])
    return over


def held(key: str, refusal: str | None = None) -> AbstractContextManager[None]:
    """An account as this process's own."""
    return locked(folder() / f"{key}.lock", refusal)


def folder() -> Path:
    return scratch("mlflow")


def place(key: str) -> Path:
    return folder() / f"{key}.json"


def write(account: Account) -> None:
    files.write_json(place(account["key"]), account)


def read(path: Path) -> Account | None:
    """An account, if it is there; a damaged one is removed with a warning."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        print(f"warning: {path} is damaged: MLflow does not get what it says", file=sys.stderr)
        path.unlink(missing_ok=True)
        return None


def forget(key: str) -> None:
    """Remove an account that this process holds."""
    place(key).unlink(missing_ok=True)
    (folder() / f"{key}.lock").unlink(missing_ok=True)


def warn(error: Exception) -> None:
    print(
        f"warning: MLflow at {uri()} fails ({reason(error)}); what it should get is kept and sent later, by the next"
        " stage or by `replay sync`",
        file=sys.stderr,
        flush=True,
    )


def provenance() -> dict[str, str]:
    """Tags that say which code and which DVC stage and experiment a run belongs to."""
    known = {
        "mlflow.source.git.commit": commit(),
        "dvc.stage": os.environ.get("DVC_STAGE"),
        "dvc.exp": os.environ.get("DVC_EXP_NAME"),
        "dvc.rev": os.environ.get("DVC_EXP_BASELINE_REV"),
    }
    return {key: value for key, value in known.items() if value}


def commit() -> str:
    """The commit of the checkout, if git is there to say it."""
    try:
        head = ["git", "rev-parse", "HEAD"]
        return subprocess.check_output(head, cwd=root(), stderr=DEVNULL, encoding="utf-8").strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def now() -> int:
    return int(time.time() * 1000)
