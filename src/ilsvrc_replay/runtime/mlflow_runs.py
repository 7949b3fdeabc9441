"""The runs of one MLflow experiment: the one place that knows MLflow's client. Nothing here is logged twice."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ilsvrc_replay.files import whole_file
from ilsvrc_replay.runtime.scratch import root

if TYPE_CHECKING:
    from mlflow.entities import Run

Tags = Mapping[str, str]
PATIENCE = {"MAX_RETRIES": "1", "BACKOFF_FACTOR": "1", "TIMEOUT": "10"}  # seconds; what fails is tried again later
NEVER = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")
BEST = "best"


class Runs:
    """The runs of the experiment `study` at `uri`, which is made if it is not there."""

    def __init__(self, uri: str, study: str) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)
        from mlflow import MlflowClient

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # what fails is raised, too
        create_whole(uri)
        self.client = MlflowClient(uri)
        if found := self.client.get_experiment_by_name(study):
            self.experiment = found.experiment_id
        else:
            location = f"file://{root()}/mlartifacts" if uri.startswith("sqlite:") else None
            kind = {"mlflow.experimentKind": "custom_model_development"}  # the pages of trainings, not of chats
            self.experiment = self.client.create_experiment(study, location, kind)

    def find(self, tags: Tags, running: bool = False) -> Run | None:
        """The newest run with these tags, which somebody may have deleted; a `running` one is there."""
        from mlflow.entities import ViewType

        clauses = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        clauses += ["attributes.status = 'RUNNING'"] if running else []
        view, newest = ViewType.ACTIVE_ONLY if running else ViewType.ALL, ["attributes.start_time DESC"]
        found = self.client.search_runs([self.experiment], " and ".join(clauses), view, 1, newest)
        return found[0] if found else None

    def create(self, name: str, tags: Tags, at: int) -> Run:
        return self.client.create_run(self.experiment, start_time=at, tags=dict(tags), run_name=name)

    def log(
        self,
        run: Run,
        tags: Tags,
        params: Tags,
        curve: Mapping[tuple[str, int], tuple[float, int]],
        totals: Mapping[str, tuple[float, int]],
    ) -> None:
        """Log what `run` lacks. Metrics have values with times in ms: those of a `curve`, by name and step, are logged
        once; `totals` also when they have changed."""
        from mlflow.entities import Metric, Param, RunTag

        run_id, data = run.info.run_id, run.data
        there = {name for name, _ in curve} & set(data.metrics)
        known = {(name, point.step) for name in there for point in self.client.get_metric_history(run_id, name)}
        points = {place: point for place, point in curve.items() if place not in known}
        points |= {(name, 0): point for name, point in totals.items() if data.metrics.get(valid(name)) != point[0]}
        # MLflow's page of comparisons begins with the metric that was logged first: the error, not the epoch.
        order = sorted(points, key=lambda place: not place[0].endswith("top1_err"))
        with refusals(run.info.run_name):
            self.client.log_batch(
                run_id,
                [Metric(valid(name), *points[name, step], step) for name, step in order],
                [Param(valid(name), value) for name, value in params.items() if valid(name) not in data.params],
                [RunTag(name, value) for name, value in tags.items() if data.tags.get(name) != value],
            )

    def log_data(self, run: Run, name: str, digest: str, folder: str) -> None:
        """Name the data set that a run was trained on."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if not (run.inputs and run.inputs.dataset_inputs):
            data = Dataset(name, digest[:32], "local", f'{{"uri": "{folder}"}}')
            training = DatasetInput(data, [InputTag("mlflow.data.context", "training")])
            self.client.log_inputs(run.info.run_id, [training])

    def set_status(self, run: Run, status: str, at: int) -> None:
        if run.info.status != status and status == "RUNNING":  # again: it is gone on with
            self.client.update_run(run.info.run_id, status)
        elif run.info.status != status:
            self.client.set_terminated(run.info.run_id, status, at)

    def register(self, model: str, tags: Tags, versions: Mapping[str, tuple[str, Tags]], best: str) -> None:
        """File weights, by their checksum with run and tags, as versions of a model; `best` gets the alias. The weights
        stay with DVC: a version's source is their path in the repository."""
        if not (found := self.client.search_registered_models(f"name = '{model}'")):
            text = "Weights are in DVC: see each version's source."
            found = [self.client.create_registered_model(model, dict(tags), text)]
        there = self.client.search_model_versions(f"name = '{model}'")
        known = {version.tags.get("weights_sha256"): version.version for version in there}
        for checksum, (run, told) in versions.items():
            if checksum not in known:
                path = told["weights"]
                text = f"{path}, by `dvc pull {path}`; sha256 {checksum}"
                made = self.client.create_model_version(model, f"dvc://{path}", run, dict(told), description=text)
                known[checksum] = made.version
        if found[0].aliases.get(BEST) != known[best]:
            self.client.set_registered_model_alias(model, BEST, known[best])


def create_whole(uri: str) -> None:
    """Create a new SQLite store beside its place and move it there: a process that ends meanwhile leaves no half one,
    with which MLflow could do nothing any more."""
    from mlflow import MlflowClient

    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.exists():
        with whole_file(path) as partial:
            partial.unlink(missing_ok=True)
            MlflowClient(f"sqlite:///{partial}").search_experiments()


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """Go on, with a warning, without what MLflow will never take; other failures are raised."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in NEVER:
            raise
        say(f"warning: MLflow does not take all of {what}: {reason(error)}")


@cache
def say(line: str) -> None:
    """Once, however often it is tried."""
    print(line, file=sys.stderr, flush=True)


def reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def valid(name: str) -> str:
    """A metric's or a parameter's name in the characters that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_first_"), flags=re.ASCII)
