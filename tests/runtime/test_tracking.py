"""What a study leaves in MLflow, and that MLflow can do it no harm."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime import tracking
from ilsvrc_replay.runtime.spool import Spool, left_over
from ilsvrc_replay.runtime.tracking import Tracker, flatten

RECORD = {"entry": "net", "seed": 0, "architecture": "alexnet", "width": 0.125, "recipe": {"name": "modern", "lr": 0.1}}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new store, which takes MLflow seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture
def client(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    return MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")


def runs(client: MlflowClient, kind: str) -> list:
    experiment = client.get_experiment_by_name("test")
    return client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'", order_by=["start_time ASC"])


def track(name: str = "net-0", key: str | None = None) -> None:
    with Tracker("test") as tracker, tracker.run(name, RECORD, key):
        tracker.log_data("digits", "a" * 64, "data/packed/digits")
        tracker.log_metrics({"lr": 0.1, "val/top1_err": 9.0}, step=5)
        tracker.tag({"weights_sha256": "f" * 64})


def test_a_study_is_a_parent_with_a_child_for_every_run(client: MlflowClient, tmp_path: Path) -> None:
    track("net-0")
    track("net-1")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/figures").mkdir()
    for name in ("index.html", "leaderboard.md", "figures/history.svg"):
        (tmp_path / "results" / name).write_text("# board")
    with Tracker("test") as tracker:
        tracker.log_test("net-0", "f" * 64, {"test/single_crop/top1_err": 8.0})
        board = {"net/single_crop/top1_err": 8.0, "net/ten_crop@100/top1_err": 7.5}
        tracker.end_study(board, tmp_path / "results", "# board", {"net-0": "f" * 64})

    (parent,) = runs(client, "study")
    children = runs(client, "run")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"net/single_crop/top1_err": 8.0, "net/ten_crop_first_100/top1_err": 7.5}
    artifacts = [file.path for file in client.list_artifacts(parent.info.run_id, "results")]
    assert artifacts == ["results/figures", "results/index.html", "results/leaderboard.md"]
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("# board")
    assert f"runs/{children[0].info.run_id}) | 9.00 | 8.00 |" in note
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
    assert first.data.params == {
        "architecture": "alexnet",
        "width": "0.125",
        "recipe.name": "modern",
        "recipe.lr": "0.1",
    }
    assert first.data.metrics == {"val/top1_err": 9.0, "train/lr": 0.1, "test/single_crop/top1_err": 8.0}
    assert next(iter(first.data.metrics)) == "val/top1_err", "which MLflow's page of comparisons begins with"
    assert first.inputs.dataset_inputs[0].dataset.name == "digits"

    track("net-0")  # the next execution has a parent of its own
    assert len(runs(client, "study")) == 2


def test_an_entry_is_a_registered_model_and_its_best_seed_is_chosen_on_val(client: MlflowClient) -> None:
    checksums = {}
    for name, error in (("net-0", 9.0), ("net-1", 7.0), ("net-2", 8.0)):
        checksums[name] = name[-1] * 64
        with Tracker("test") as tracker, tracker.run(name, RECORD):
            tracker.log_metrics({"val/top1_err": error}, step=5)
            tracker.tag({"weights_sha256": checksums[name], "weights": f"runs/{name}/weights.safetensors"})
    for _ in range(2):  # asked twice, it changes nothing
        with Tracker("test") as tracker:
            tracker.register("net", checksums)
            tracker.register("other", {"other-0": "a" * 64})  # of which MLflow has no run
    assert [model.name for model in client.search_registered_models()] == ["test-net"]
    versions = client.search_model_versions("name='test-net'")
    assert {version.tags["weights_sha256"] for version in versions} == set(checksums.values())
    best = client.get_model_version_by_alias("test-net", "best")
    assert len(versions) == 3
    assert best.source == "dvc://runs/net-1/weights.safetensors"
    assert best.tags["weights_sha256"] == "1" * 64


def test_a_failed_and_a_stopped_run_say_so(client: MlflowClient) -> None:
    for error in (ValueError("bad"), SystemExit(143)):
        with pytest.raises(type(error)), Tracker("test") as tracker, tracker.run("net-0", RECORD):
            raise error
    assert [run.info.status for run in runs(client, "run")] == ["FAILED", "KILLED"]
    assert runs(client, "run")[0].data.tags["ended"] == "ValueError: bad"


def test_a_killed_run_says_so_and_is_gone_on_with(client: MlflowClient, tmp_path: Path) -> None:
    kill_one(tmp_path, "net-0", "abc")
    track("net-1")
    assert [run.info.status for run in runs(client, "run")] == ["KILLED", "FINISHED"]
    assert runs(client, "run")[0].data.tags["ended"] == "killed before it could finish"
    track("net-0", "abc")
    first, _ = runs(client, "run")
    assert first.info.status == "FINISHED"
    assert first.data.tags["ended"] == "well"
    assert len(client.get_metric_history(first.info.run_id, "val/top1_err")) == 1, (
        "what is done again is not drawn twice"
    )


def kill_one(folder: Path, name: str, key: str) -> None:
    """A process that is killed while its run goes on."""
    code = f"""if True:
        import os, signal, test_tracking
        tracker = test_tracking.Tracker("test")
        tracker.start_run({name!r}, test_tracking.RECORD, {key!r})
        tracker.log_metrics({{"val/top1_err": 9.0}}, step=5)
        os.kill(os.getpid(), signal.SIGKILL)"""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"DVC_ROOT": str(folder), "PYTHONPATH": paths}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL


def test_many_processes_can_open_a_new_store_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(track, [f"net-{number}" for number in range(4)]))
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert len(runs(client, "study")) == 1
    assert len(runs(client, "run")) == 4


def test_a_server_that_is_not_there_is_one_warning_and_nothing_is_lost(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    track("net-0")
    said = capsys.readouterr().err
    assert said.startswith("warning: MLflow at http://127.0.0.1:9 fails")
    assert said.count("\n") == 1
    with pytest.raises(StudyError, match="MLflow fails"):
        tracking.sync()
    # The same spool, as if the server had come back at another address.
    (spool,) = (tmp_path / ".scratch/mlflow").glob("*.jsonl")
    spool.write_text(spool.read_text().replace("http://127.0.0.1:9", f"sqlite:///{tmp_path}/mlflow.db"))
    assert tracking.sync() == 6
    (run,) = runs(client, "run")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"val/top1_err": 9.0, "train/lr": 0.1})
    assert tracking.sync() == 0


def test_what_was_kept_goes_to_the_store_of_a_checkout_that_was_moved(
    client: MlflowClient, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    (before / "results").mkdir(parents=True)
    (before / "results/leaderboard.md").write_text("# board")
    monkeypatch.setenv("DVC_ROOT", str(before))
    (before / "mlflow.db").write_text("no store")
    track("net-0")
    with Tracker("test") as tracker:
        tracker.end_study({"net/single_crop/top1_err": 8.0}, before / "results", "# board", {})
    before.rename(after)
    shutil.copyfile(empty_store, after / "mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(after))
    assert tracking.sync() == 7
    moved = MlflowClient(f"sqlite:///{after}/mlflow.db")
    (run,), (parent,) = runs(moved, "run"), runs(moved, "study")
    assert (run.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    assert [file.path for file in moved.list_artifacts(parent.info.run_id, "results")] == ["results/leaderboard.md"]
    assert not before.exists()


def test_a_full_disk_is_one_warning(client: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with Tracker("test") as tracker:
        full = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115 (closed with the spool)
        tracker.spool.file, before = full, tracker.spool.file
        with tracker.run("net-0", RECORD):
            tracker.log_metrics({"val/top1_err": 9.0}, step=5)
        before.close()
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert said.count("\n") == 1
    assert [run.info.status for run in runs(client, "run")] == ["FINISHED"], "MLflow itself was there"


def test_a_short_stage_leaves_it_to_a_later_one_to_send(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.LATER, "1")
    track("short")
    assert client.get_experiment_by_name("test") is None
    monkeypatch.setattr(tracking, "PATIENCE", 0.01)
    with Tracker("test") as tracker, tracker.run("long", RECORD):
        deadline = time.monotonic() + 30
        while client.get_experiment_by_name("test") is None or len(runs(client, "run")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [run.info.run_name for run in runs(client, "run")] == ["short", "long"]
    assert [run.info.status for run in runs(client, "run")] == ["FINISHED", "FINISHED"]


def test_the_stage_that_ends_a_study_waits_until_mlflow_has_all(
    client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.LATER, "1")
    track("net-0")
    assert list((tmp_path / ".scratch/mlflow").glob("*.jsonl")), "a short stage leaves it to another one to send"
    monkeypatch.delenv(tracking.LATER)
    monkeypatch.setattr(tracking, "WAIT", 0.0)
    (tmp_path / "results").mkdir()
    with Tracker("test") as tracker:
        tracker.end_study({"net/single_crop/top1_err": 8.0}, tmp_path / "results", "# board", {"net-0": "f" * 64})
    assert [run.info.status for run in runs(client, "study") + runs(client, "run")] == ["FINISHED", "FINISHED"]


def test_what_a_thread_may_still_send_is_nobody_elses(tmp_path: Path) -> None:
    sending, done = threading.Event(), threading.Event()

    def deliver(_record: dict) -> None:
        sending.set()
        assert done.wait(30)

    spool = Spool(tmp_path, {}, deliver, print)
    spool.add({"what": "tag"})
    assert sending.wait(30)
    assert spool.close(0.0) == 1
    with left_over(tmp_path) as spools:
        assert spools == []
    done.set()
    spool.thread.join(30)
    assert not spool.unsent


def test_a_record_that_mlflow_never_takes_holds_nothing_up(client: MlflowClient, capsys: pytest.CaptureFixture) -> None:
    with Tracker("test") as tracker, tracker.run("net-0", RECORD):
        tracker.log_metrics({"a name with a # in it": 1.0}, step=0)
        tracker.log_metrics({"val/top1_err": 9.0}, step=5)
    (run,) = runs(client, "run")
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"val/top1_err": 9.0})
    assert "warning: MLflow does not take" in capsys.readouterr().err


def test_flatten() -> None:
    assert flatten({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b.c": 2, "b.d.e": 3}


def test_a_process_killed_while_it_creates_the_store_leaves_no_half_one(tmp_path: Path) -> None:
    store, partial = tmp_path / "mlflow.db", tmp_path / ".mlflow.db.partial"
    create = f"from ilsvrc_replay.mlflow_store import create_whole; create_whole('sqlite:///{store}')"
    process = subprocess.Popen([sys.executable, "-c", create], stderr=subprocess.DEVNULL)
    while not (partial.exists() and partial.stat().st_size > 0):
        assert process.poll() is None, "it was too fast to be killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not store.exists()
    subprocess.run([sys.executable, "-c", create], check=True, capture_output=True)
    assert not partial.exists()
    assert MlflowClient(f"sqlite:///{store}").create_experiment("test")
