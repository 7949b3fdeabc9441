"""An MLflow experiment as the records of a tracker change it: the one place that knows MLflow's client.

Every record may come late, twice, or after the process that wrote it has died. A run is therefore known by a key of
this project's own, which stands among its tags; MLflow's ids stay here.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from ilsvrc_replay.files import whole_file
from ilsvrc_replay.runtime import registering
from ilsvrc_replay.runtime.scratch import locked, root, scratch

STUDY, RUN, WEIGHTS, KEY = "study", "run", "weights_sha256", "key"
PATIENCE = {"MAX_RETRIES": "1", "BACKOFF_FACTOR": "1", "TIMEOUT": "10"}  # seconds; what fails is tried again later
NEVER = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")


class Gone(Exception):
    """Somebody has deleted the run that a record is about."""


def create_whole(uri: str) -> None:
    """Create a new SQLite store beside its place and move it there: a process that ends meanwhile leaves no half one,
    with which MLflow could do nothing any more."""
    from mlflow import MlflowClient

    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.exists():
        with whole_file(path) as partial:
            partial.unlink(missing_ok=True)
            MlflowClient(f"sqlite:///{partial}").search_experiments()


class Store:
    """The experiment of `study` at `uri`; `tags` say which code and which DVC experiment its records come from."""

    def __init__(self, uri: str, study: str, tags: dict[str, str]) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
        from mlflow import MlflowClient

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what fails is raised, too
        self.study, self.tags = study, tags
        self.runs: dict[str, str] = {}
        self.logged: dict[str, set[tuple[str, int]]] = {}  # of runs that were there before: metrics and steps
        self.parent: str | None = None
        with locked(scratch("mlflow") / "lock"):  # processes that create one SQLite store at once would break it
            create_whole(uri)
            self.client = MlflowClient(uri)
            found = self.client.get_experiment_by_name(study)
            if found:
                self.experiment = found.experiment_id
            else:
                location = f"file://{root()}/mlartifacts" if uri.startswith("sqlite:") else None
                kind = {"mlflow.experimentKind": "custom_model_development"}  # the pages of trainings, not of chats
                self.experiment = self.client.create_experiment(study, artifact_location=location, tags=kind)

    def send(self, record: dict[str, Any]) -> None:
        """Do what a record says. What MLflow will never take is left out with a warning; other failures are raised."""
        from mlflow.exceptions import MlflowException

        arguments = {name: value for name, value in record.items() if name != "what"}
        try:
            getattr(self, record["what"])(**arguments)
        except Gone:
            pass
        except MlflowException as error:
            if error.error_code not in NEVER:
                raise
            print(f"warning: MLflow does not take {record['what']}: {str(error).splitlines()[0]}", file=sys.stderr)

    def open_study(self, at: int) -> str:
        """The parent run of this execution: the study's open one, or else a new one."""
        if self.parent is None:
            experiment = self.tags.get("dvc.exp", "")
            with locked(scratch("mlflow") / "lock"):  # the first runs of a study may come at once
                self.parent = self.find({"kind": "study", "dvc.exp": experiment}, running=True)
                if self.parent is None:
                    name = experiment or f"{self.study} {time.strftime('%Y-%m-%d %H:%M', time.localtime(at / 1000))}"
                    tags = {STUDY: self.study, "kind": "study", "dvc.exp": "", **self.tags, "dvc.stage": "all"}
                    self.parent = self.create(name, tags, at)
        return self.parent

    def start_run(self, run: str, name: str, tags: dict[str, str], params: dict[str, str], at: int) -> None:
        """Open a child run; one with this key is gone on with."""
        from mlflow.entities import Param

        known = self.find({KEY: run})
        if known:
            self.client.update_run(known, status="RUNNING")
            self.runs[run], self.logged[run] = known, self.history(known)
            return
        tags = {"kind": "run", STUDY: self.study, RUN: name, KEY: run, "dvc.exp": "", **tags, **self.tags}
        self.runs[run] = self.create(name, {**tags, "mlflow.parentRunId": self.open_study(at)}, at)
        self.client.log_batch(self.runs[run], params=[Param(key, value) for key, value in params.items()])

    def log_data(self, run: str, name: str, digest: str, folder: str, at: int) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(name, digest[:32], "local", f'{{"uri": "{folder}"}}')
        self.client.log_inputs(self.id(run), [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    def log_metrics(self, run: str, metrics: dict[str, float], step: int, at: int) -> None:
        run_id = self.id(run)  # which may find what is logged already
        known = self.logged.get(run, set())
        metrics = {key if "/" in key else f"train/{key}": value for key, value in metrics.items()}
        self.log({key: value for key, value in metrics.items() if (key, step) not in known}, step, at, run_id)

    def tag(self, run: str, tags: dict[str, str], at: int) -> None:
        for key, value in tags.items():
            self.client.set_tag(self.id(run), key, value)

    def end_run(self, run: str, status: str, at: int) -> None:
        self.client.set_terminated(self.id(run), status, end_time=at)

    def log_test(self, run: str, weights: str, metrics: dict[str, float], at: int) -> None:
        """Add test errors to the newest child run of the name `run` that made these weights."""
        found = self.find({RUN: run, WEIGHTS: weights})
        if found:
            self.log(metrics, 0, at, found)

    def register(self, entry: str, weights: dict[str, str], at: int) -> None:
        """File an entry's runs, given by name with the checksum of their weights, as versions of a registered model."""
        found = [self.find({RUN: run, WEIGHTS: checksum}) for run, checksum in weights.items()]
        runs = [run_id for run_id in found if run_id]
        if runs:
            registering.register(self.client, f"{self.study}-{entry}", runs, {STUDY: self.study, "entry": entry})

    def end_study(
        self, metrics: dict[str, float], results: str, description: str, at: int, weights: dict[str, str]
    ) -> None:
        """Close the parent run with the board: its errors as metrics, its files and the page as artifacts."""
        parent = self.open_study(at)
        self.log(metrics, 0, at, parent)
        self.client.log_artifacts(parent, str(root() / results), "results")
        note = "\n".join([description, *self.children(weights)])
        self.client.set_tag(parent, "mlflow.note.content", note)
        self.client.set_terminated(parent, "FINISHED", end_time=at)
        self.parent = None

    def children(self, weights: dict[str, str]) -> list[str]:
        """The runs of a board as lines of Markdown; those of earlier executions, too, that nothing has changed since.

        The links hold in MLflow's own pages, where the part behind the # is the page.
        """
        titles = "| run | val top-1 error % | test top-1 error % | parameters |"
        lines = ["", "## The runs", "", titles, "|---|---:|---:|---:|"]
        for name, checksum in weights.items():
            found = self.find({RUN: name, WEIGHTS: checksum})
            data = self.client.get_run(found).data if found else None
            logged = data.metrics if data else {}
            tested = sorted(key for key in logged if key.startswith("test/") and key.endswith("/top1_err"))
            val, size = logged.get("val/top1_err"), data.params.get("param_count") if data else None
            cells = (
                f"[{name}](#/experiments/{self.experiment}/runs/{found})" if found else name,
                "" if val is None else f"{val:.2f}",
                ", ".join(f"{logged[key]:.2f}" for key in tested),
                f"{int(size):,}" if size else "",
            )
            lines.append(f"| {' | '.join(cells)} |")
        return [*lines, "", "The page with charts is the artifact results/index.html.", ""]

    def id(self, run: str) -> str:
        """MLflow's id of a run that was started, perhaps by a process that has died. Raises Gone without one."""
        if run not in self.runs:
            found = self.find({KEY: run})
            if found is None:
                raise Gone(run)
            self.runs[run], self.logged[run] = found, self.history(found)
        return self.runs[run]

    def history(self, run_id: str) -> set[tuple[str, int]]:
        names = self.client.get_run(run_id).data.metrics
        return {(name, point.step) for name in names for point in self.client.get_metric_history(run_id, name)}

    def find(self, tags: dict[str, str], running: bool = False) -> str | None:
        """The newest run of the study that has these tags."""
        clauses = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        clauses += ["attributes.status = 'RUNNING'"] if running else []
        runs = self.client.search_runs(
            [self.experiment], " and ".join(clauses), order_by=["attributes.start_time DESC"], max_results=1
        )
        return runs[0].info.run_id if runs else None

    def create(self, name: str, tags: dict[str, str], at: int) -> str:
        return self.client.create_run(self.experiment, start_time=at, run_name=name, tags=tags).info.run_id

    def log(self, metrics: dict[str, float], step: int, at: int, run_id: str) -> None:
        from mlflow.entities import Metric

        # MLflow's page of comparisons begins with the metric that was logged first: the error, not the epoch.
        metrics = dict(sorted(metrics.items(), key=lambda item: not item[0].endswith("top1_err")))
        named = {key.replace("@", "_first_"): value for key, value in metrics.items()}  # MLflow takes no @ in a name
        self.client.log_batch(run_id, [Metric(key, value, at, step) for key, value in named.items()])
