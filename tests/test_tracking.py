"""What a study leaves in MLflow, and that MLflow can do it no harm."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ilsvrc_replay.tracking import Tracker, flatten

RECORD = {"entry": "net", "seed": 0, "architecture": "alexnet", "width": 0.125, "recipe": {"name": "modern", "lr": 0.1}}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


def runs(client: MlflowClient, kind: str) -> list:
    experiment = client.get_experiment_by_name("test")
    return client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'", order_by=["start_time ASC"])


def track(name: str = "net-0") -> Tracker:
    tracker = Tracker("test")
    with tracker.run(name, RECORD):
        tracker.log_data("digits", "a" * 64, "data/packed/digits")
        tracker.log_metrics({"val/top1_err": 9.0}, step=5)
        tracker.tag({"weights_sha256": "f" * 64})
    return tracker


def test_a_study_is_a_parent_with_a_child_for_every_run(client: MlflowClient, tmp_path: Path) -> None:
    track("net-0")
    tracker = track("net-1")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/leaderboard.md").write_text("# board")
    tracker.log_test("net-0", "f" * 64, {"test/single_crop/top1_err": 8.0})
    tracker.end_study({"net/single_crop/top1_err": 8.0}, tmp_path / "results", "# board")

    (parent,) = runs(client, "study")
    children = runs(client, "run")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"net/single_crop/top1_err": 8.0}
    assert [file.path for file in client.list_artifacts(parent.info.run_id, "results")] == ["results/leaderboard.md"]
    assert [child.info.run_name for child in children] == ["net-0", "net-1"]
    first = children[0]
    assert first.info.status == "FINISHED"
    assert first.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {key: first.data.tags[key] for key in ("entry", "seed", "recipe", "study")} == {
        "entry": "net",
        "seed": "0",
        "recipe": "modern",
        "study": "test",
    }
    assert first.data.params["recipe.lr"] == "0.1"
    assert first.data.metrics == {"val/top1_err": 9.0, "test/single_crop/top1_err": 8.0}
    assert first.inputs.dataset_inputs[0].dataset.name == "digits"

    track("net-0")  # the next execution has a parent of its own
    assert len(runs(client, "study")) == 2


def test_a_failed_and_a_killed_run_say_so(client: MlflowClient) -> None:
    for error in (ValueError("bad"), SystemExit(143)):
        tracker = Tracker("test")
        with pytest.raises(type(error)), tracker.run("net-0", RECORD):
            raise error
    left_running = Tracker("test")
    left_running.start_run("net-0", RECORD)
    track()
    assert [run.info.status for run in runs(client, "run")] == ["FAILED", "KILLED", "KILLED", "FINISHED"]
    assert runs(client, "run")[0].data.tags["ended"] == "ValueError: bad"
    assert runs(client, "run")[2].data.tags["ended"] == "killed before it could finish"


def test_many_processes_can_open_a_new_store_at_once(client: MlflowClient) -> None:
    with ProcessPoolExecutor(4) as pool:
        trackers = list(pool.map(open_one, range(4)))
    assert all(trackers)
    assert len(runs(client, "study")) == 1


def open_one(_number: int) -> bool:
    return Tracker("test").working


def test_a_server_that_is_not_there_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracker = track()
    assert not tracker.working
    said = capsys.readouterr().err
    assert said.startswith("warning: MLflow at http://127.0.0.1:9 fails")
    assert said.count("\n") == 1


def test_flatten() -> None:
    assert flatten({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b.c": 2, "b.d.e": 3}
