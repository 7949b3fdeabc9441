"""What MLflow shows of a study, made from accounts of it: projected twice, an account changes nothing.

An account is all that is to be shown of one training, or of one execution of a study, as JSON (tracking.py makes them).
The run of a training is found by its key, however often it was killed and went on, or without a key by the weights that
it made. MLflow's ids stay in MLflow.
"""

from __future__ import annotations

import hashlib
import math
import time
import uuid
from typing import TYPE_CHECKING, Any

from ilsvrc_replay.run import WEIGHTS, flatten
from ilsvrc_replay.runtime.mlflow_runs import Runs
from ilsvrc_replay.runtime.scratch import root

if TYPE_CHECKING:
    from mlflow.entities import Run

Account = dict[str, Any]
STUDY, RUN, KEY, SHA256 = "study", "run", "key", "weights_sha256"
NOTE = "mlflow.note.content"  # what MLflow shows as a description
NOT_PARAMS = ("entry", "seed", "data", "normalisation", "versions", "final", SHA256)  # shown elsewhere, or always equal
METRICS = {
    "lr": "train/lr",
    "epoch": "train/epoch",
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_top1_err": "val/top1_err",
    "val_top5_err": "val/top5_err",
}


def project_training(runs: Runs, account: Account, parent: Run | None = None) -> Run | None:
    """The child run of a training; None if somebody has deleted it."""
    key, record = account["key"], account["record"]
    run = runs.find({KEY: key} if key else {RUN: account["run"], SHA256: record[SHA256]})
    if run and run.info.lifecycle_stage == "deleted":
        return None
    if not run:
        parent = parent or open_study(runs, account)
        names = {"architecture": record["net"]["architecture"], "recipe": record["recipe_name"]}
        names |= {"entry": record["entry"], "seed": str(record["seed"])} | weights(account)
        names |= flatten({"versions": record.get("versions", {})})
        own = {"kind": "run", STUDY: account["study"], RUN: account["run"], KEY: key or uuid.uuid4().hex, "dvc.exp": ""}
        tags = own | names | account["tags"] | {"mlflow.parentRunId": parent.info.run_id}
        run = runs.create(account["run"], tags, account["at"])
    told = {name: value for name, value in record.items() if name not in NOT_PARAMS}
    rows = account["curve"]
    runs.log(
        run,
        tags=weights(account) | ({"ended": account["ended"]} if account["ended"] else {}),
        params={name: str(value) for name, value in flatten(told).items()},
        curve={(METRICS[name], row["step"]): (row[name], row["at"]) for row in rows for name in METRICS},
        totals={name: (value, account["tested_at"]) for name, value in account["errors"].items()},
    )
    data = record["data"]["name"]
    runs.log_data(run, data, digest(record["data"]["sha256"]), f"data/packed/{data}")
    runs.set_status(run, account["status"], account["ended_at"])
    return run


def project_study(runs: Runs, account: Account) -> None:
    """The parent run of an execution, closed with the board and its files; and the runs that the study consists of,
    also those of earlier executions that nothing has changed since, with the registered models."""
    at = account["at"]
    parent = runs.find({KEY: account["key"]}) or open_study(runs, account)
    made = [(training, project_training(runs, training, parent)) for training in account["runs"]]
    there = [(training, run.info.run_id) for training, run in made if run]
    for entry in {training["record"]["entry"] for training, _ in there}:
        seeds = [(training, run) for training, run in there if training["record"]["entry"] == entry]
        best, _ = min(seeds, key=lambda seed: val_error(seed[0]))  # on held-out training images, never the test images
        versions = {
            training["record"][SHA256]: (run, weights(training) | {"seed": str(training["record"]["seed"])})
            for training, run in seeds
        }
        tags = {STUDY: account["study"], "entry": entry}
        runs.register(f"{account['study']}-{entry}", tags, versions, best["record"][SHA256])
    links = {training["run"]: f"#/experiments/{runs.experiment}/runs/{run}" for training, run in there}
    tags = {KEY: account["key"], NOTE: note(account, links)}
    runs.client.set_experiment_tag(runs.experiment, NOTE, account["note"])  # what one sees first
    runs.log(parent, tags, {}, {}, {name: (value, at) for name, value in account["board"].items()})
    folder = root() / account["results"]
    if parent.info.status == "RUNNING" and folder.is_dir():
        runs.client.log_artifacts(parent.info.run_id, str(folder), "results")
    runs.set_status(parent, "FINISHED", at)


def open_study(runs: Runs, account: Account) -> Run:
    """The parent run of this execution: the study's open one, or else a new one."""
    study, at = account["study"], account["at"]
    own = {"kind": "study", "dvc.exp": account["tags"].get("dvc.exp", "")}
    name = own["dvc.exp"] or f"{study} {time.strftime('%Y-%m-%d %H:%M', time.localtime(at / 1000))}"
    tags = {STUDY: study} | own | account["tags"] | {"dvc.stage": "all"}
    return runs.find(own, running=True) or runs.create(name, tags, at)


def weights(account: Account) -> dict[str, str]:
    """The tags of the weights that a training has made, if it has."""
    path, checksum = f"runs/{account['run']}/{WEIGHTS}", account["record"].get(SHA256)
    return {"weights": path, SHA256: checksum} if checksum else {}


def digest(sums: dict[str, str]) -> str:
    """One sha256 for the training images, from those of all packed files."""
    images = [value for name, value in sums.items() if name.startswith("train_images")]
    return images[0] if len(images) == 1 else hashlib.sha256("".join(images).encode()).hexdigest()


def val_error(account: Account) -> float:
    """Of the trained net; infinite for published weights, which are not validated."""
    return account["curve"][-1]["val_top1_err"] if account["curve"] else math.inf


def note(account: Account, links: dict[str, str]) -> str:
    """The board and its runs as Markdown. Links hold in MLflow's own pages: what stands behind the # is the page."""
    titles = "| run | val top-1 error % | test top-1 error % | parameters |"
    lines = [account["note"], "", "## The runs", "", titles, "|---|---:|---:|---:|"]
    for training in account["runs"]:
        name, errors, val = training["run"], training["errors"], val_error(training)
        cells = (
            f"[{name}]({links[name]})" if name in links else name,
            f"{val:.2f}" if val < math.inf else "",
            ", ".join(f"{errors[key]:.2f}" for key in sorted(errors) if key.endswith("/top1_err")),
            f"{training['record']['param_count']:,}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "The page with charts is the artifact results/index.html.", ""])
