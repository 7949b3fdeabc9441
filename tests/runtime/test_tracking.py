"""What a study leaves in MLflow, and that MLflow can do it no harm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime import live, tracking
from ilsvrc_replay.runtime.live import shown
from ilsvrc_replay.runtime.scratch import locked

RECORD = {
    "entry": "net",
    "seed": 0,
    "net": {"architecture": "alexnet", "width": 0.125},
    "recipe_name": "modern",
    "recipe": {"lr": 0.1, "schedule": {"kind": "cosine"}},
    "versions": {"torch": "2"},
    "param_count": 1234,
    "data": {"name": "digits", "sha256": {"train_images.npy": "a" * 64, "val_images.npy": "b" * 64}},
}
RESOLVED = ("entry", "net", "recipe_name", "recipe", "versions")
ROW = {"step": 5, "epoch": 1.0, "lr": 0.1, "train_loss": 1.0, "val_loss": 2.0, "val_top1_err": 9.0, "val_top5_err": 1.0}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new store, which takes MLflow seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a resolved study named "test" of one entry, "net"."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    files.write_json(Path("resolved/study.json"), {"study": "test"})
    files.write_json(Path("tuning/net/run.json"), {"testing": None} | {key: RECORD[key] for key in RESOLVED})
    return tmp_path


@pytest.fixture
def client(empty_store: Path, place: Path) -> MlflowClient:
    shutil.copyfile(empty_store, place / "mlflow.db")
    return MlflowClient(f"sqlite:///{place}/mlflow.db")


def runs(client: MlflowClient, kind: str) -> list:
    experiment = client.get_experiment_by_name("test")
    return client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'", order_by=["start_time ASC"])


def everything(client: MlflowClient) -> list:
    """All that MLflow has of the study, to the last point."""
    return [
        (run.to_dictionary(), [vars(point) for name in run.data.metrics for point in history(client, run, name)])
        for kind in ("study", "run")
        for run in runs(client, kind)
    ]


def history(client: MlflowClient, run: Any, name: str = "val/top1_err") -> list:
    return client.get_metric_history(run.info.run_id, name)


def accounts(place: Path) -> list[Path]:
    return sorted((place / ".scratch/mlflow").glob("*.json"))


def draw(training: live.Live, rows: list[dict[str, float]]) -> None:
    """What a module with this curve does after a validation."""
    training.on_validation_end(None, SimpleNamespace(curve=rows))


def train(name: str = "net-0", key: str | None = None, error: float = 9.0) -> None:
    """A training as stage train does it, with its files."""
    seed = int(name.partition("-")[2])
    with shown(name, RECORD | {"seed": seed}, key or f"key of {name}") as training:
        rows = [ROW | {"val_top1_err": error}]
        draw(training, rows)
        record = RECORD | {"seed": seed, "final": rows[-1], "weights_sha256": f"{seed}" * 64}
        files.write_text(Path("runs") / name / "curves.csv", files.as_csv(rows))
        files.write_json(Path("runs") / name / "training.json", record)
        training.tell(record=record)


def close(names: tuple[str, ...] = ("net-0",), error: float = 8.0) -> None:
    """What stage page does."""
    for name in names:
        measured = {"param_count": 1234, "single_crop": {"top1_err": error, "top5_err": 1.0}}
        files.write_json(Path("metrics") / f"{name}.json", measured)
    for name in ("index.html", "leaderboard.md", "figures/history.svg"):
        files.write_text(Path("results") / name, "# board")
    board = {"net/single_crop/top1_err": error, "net/ten_crop@100/top1_err": 7.5}
    tracking.close_study(names, board, Path("results"), "# board")


def test_a_study_is_a_parent_with_a_child_for_every_run(client: MlflowClient, place: Path) -> None:
    train("net-0")
    train("net-1")
    close(("net-0", "net-1"))

    (parent,) = runs(client, "study")
    children = runs(client, "run")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"net/single_crop/top1_err": 8.0, "net/ten_crop_first_100/top1_err": 7.5}
    artifacts = [file.path for file in client.list_artifacts(parent.info.run_id, "results")]
    assert artifacts == ["results/figures", "results/index.html", "results/leaderboard.md"]
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("# board")
    assert client.get_experiment(parent.info.experiment_id).tags["mlflow.note.content"] == "# board"
    assert f"runs/{children[0].info.run_id}) | 9.00 | 8.00 | 1,234 |" in note
    assert [child.info.run_name for child in children] == ["net-0", "net-1"]
    first = children[0]
    assert first.info.status == "FINISHED"
    assert first.data.tags["mlflow.parentRunId"] == parent.info.run_id
    expected = {
        **{"entry": "net", "seed": "0", "architecture": "alexnet", "recipe": "modern", "study": "test"},
        **{"versions.torch": "2", "ended": "well", "weights": "runs/net-0/weights.safetensors"},
    }
    assert {key: first.data.tags[key] for key in expected} == expected
    assert first.data.params == {
        "net.architecture": "alexnet",
        "net.width": "0.125",
        "recipe_name": "modern",
        "recipe.lr": "0.1",
        "recipe.schedule.kind": "cosine",
        "param_count": "1234",
    }
    assert first.data.metrics == {
        **{"val/top1_err": 9.0, "val/top5_err": 1.0, "val/loss": 2.0},
        **{"train/lr": 0.1, "train/epoch": 1.0, "train/loss": 1.0},
        **{"test/single_crop/top1_err": 8.0, "test/single_crop/top5_err": 1.0},
    }
    assert next(iter(first.data.metrics)) == "val/top1_err", "which MLflow's page of comparisons begins with"
    (data,) = first.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "a" * 32)
    assert list((place / ".scratch/mlflow").iterdir()) == [place / ".scratch/mlflow/lock"], "nothing is left"

    train("net-0", "another key")  # the next execution has a parent of its own
    assert len(runs(client, "study")) == 2


def test_what_mlflow_has_is_not_sent_again(client: MlflowClient) -> None:
    account = tracking.of_training("net-0", RECORD, "key of net-0") | {"curve": [ROW | {"at": 1000}]}
    train("net-0")
    close()
    before = everything(client)
    tracking.sync()
    assert everything(client) == before
    tracking.send(account | {"status": "FINISHED", "ended": "well"})
    assert everything(client) == before
    close(error=7.0)  # tested anew
    (run,) = runs(client, "run")
    assert run.data.metrics["test/single_crop/top1_err"] == 7.0


def test_a_study_is_closed_once(client: MlflowClient, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("net-0")
    kept = place / "kept.json"
    (place / ".scratch/mlflow").mkdir(parents=True, exist_ok=True)
    write = tracking.write
    monkeypatch.setattr(tracking, "write", lambda told: (write(told), shutil.copyfile(accounts(place)[0], kept)))
    close()
    before = everything(client)
    shutil.copyfile(kept, place / f".scratch/mlflow/{json.loads(kept.read_text())['key']}.json")
    tracking.sync()  # as if the stage had been killed after the last word
    assert everything(client) == before
    assert not accounts(place)


def test_an_entry_is_a_registered_model_and_its_best_seed_is_chosen_on_val(client: MlflowClient) -> None:
    names = ("net-0", "net-1", "net-2")
    for name, error in zip(names, (9.0, 7.0, 8.0), strict=True):
        train(name, error=error)
    for _ in range(2):  # asked twice, it changes nothing
        close(names)
    assert [model.name for model in client.search_registered_models()] == ["test-net"]
    versions = client.search_model_versions("name='test-net'")
    assert sorted(version.tags["weights_sha256"] for version in versions) == ["0" * 64, "1" * 64, "2" * 64]
    best = client.get_model_version_by_alias("test-net", "best")
    assert best.source == "dvc://runs/net-1/weights.safetensors"
    assert best.tags == {"weights_sha256": "1" * 64, "weights": "runs/net-1/weights.safetensors", "seed": "1"}


def test_a_failed_and_a_stopped_run_say_so(client: MlflowClient) -> None:
    for key, error in (("a", ValueError("bad")), ("b", SystemExit(143))):
        with pytest.raises(type(error)), shown("net-0", RECORD, key):
            raise error
    assert [run.info.status for run in runs(client, "run")] == ["FAILED", "KILLED"]
    assert runs(client, "run")[0].data.tags["ended"] == "ValueError: bad"


def test_a_killed_run_says_so_and_is_gone_on_with(client: MlflowClient, place: Path) -> None:
    kill_one(place, "net-0", "abc")
    train("net-1")
    assert [run.info.status for run in runs(client, "run")] == ["KILLED", "FINISHED"]
    assert runs(client, "run")[0].data.tags["ended"] == "killed before it could finish"
    train("net-0", "abc")
    first, _ = runs(client, "run")
    assert first.info.status == "FINISHED"
    assert first.data.tags["ended"] == "well"
    assert len(history(client, first)) == 1, "what is done again is not drawn twice"


def test_a_run_killed_and_gone_on_with_before_mlflow_heard_of_it_is_one(client: MlflowClient) -> None:
    row = ROW | {"step": 3, "at": 1000}
    tracking.write(tracking.of_training("net-0", RECORD, "abc") | {"curve": [row], "at": 500})
    train("net-0", "abc")
    (run,) = runs(client, "run")
    assert (run.info.status, run.info.start_time) == ("FINISHED", 500)
    assert next((point.step, point.timestamp) for point in history(client, run)) == (3, 1000)


def kill_one(folder: Path, name: str, key: str) -> None:
    """A process that is killed while its run goes on, before it could send anything."""
    code = f"""if True:
        import os, signal, test_tracking
        with test_tracking.shown({name!r}, test_tracking.RECORD, {key!r}) as training:
            test_tracking.draw(training, [test_tracking.ROW])
            os.kill(os.getpid(), signal.SIGKILL)"""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"DVC_ROOT": str(folder), "PYTHONPATH": paths, tracking.LATER: "1"}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL


def test_a_run_that_is_gone_on_with_is_running_again(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit), shown("net-0", RECORD, "abc") as training:
        draw(training, [ROW])
        raise SystemExit(143)
    with shown("net-0", RECORD, "abc"):
        wait_for(lambda: runs(client, "run")[0].info.status == "RUNNING")
        tracking.send(everything=True)
        assert runs(client, "run")[0].info.status == "RUNNING", "which is no killed one: its process lives"


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_many_processes_can_open_a_new_store_at_once(place: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(train, [f"net-{number}" for number in range(4)]))
    client = MlflowClient(f"sqlite:///{place}/mlflow.db")
    assert len(runs(client, "study")) == 1
    assert len(runs(client, "run")) == 4


def test_many_processes_that_send_what_was_left_make_no_run_twice(client: MlflowClient, place: Path) -> None:
    for number in range(4):  # as killed processes leave them
        tracking.write(tracking.of_training(f"net-{number}", RECORD, f"key{number}"))
    with ProcessPoolExecutor(4) as pool:
        for sending in [pool.submit(tracking.send) for _ in range(4)]:
            sending.result()
    assert [run.info.status for run in runs(client, "run")] == ["KILLED"] * 4
    assert len(runs(client, "study")) == 1
    assert not accounts(place)


def test_a_server_that_is_not_there_is_one_warning_and_nothing_is_lost(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, place: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    train("net-0")
    said = capsys.readouterr().err
    assert said.startswith("warning: MLflow at http://127.0.0.1:9 fails")
    assert said.count("\n") == 1
    close()
    said = capsys.readouterr().err
    assert said.startswith("warning: MLflow at http://127.0.0.1:9 fails")
    assert said.count("\n") == 1
    with pytest.raises(StudyError, match="MLflow fails"):
        tracking.sync()
    # The same accounts, as if the server had come back at another address.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db")
    for path in accounts(place):
        path.write_text(path.read_text().replace("http://127.0.0.1:9", f"sqlite:///{place}/mlflow.db"))
    tracking.sync()
    (run,), (parent,) = runs(client, "run"), runs(client, "study")
    assert (run.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    assert (run.data.metrics["val/top1_err"], run.data.metrics["test/single_crop/top1_err"]) == (9.0, 8.0)
    assert not accounts(place)


def test_a_new_store_gets_the_finished_runs(
    client: MlflowClient, empty_store: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("net-0")
    train("net-1")
    path = place / "runs/net-1/training.json"
    files.write_json(path, json.loads(path.read_text()) | {"recipe": {"lr": 0.2}})
    shutil.copyfile(empty_store, place / "new.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///new.db")
    tracking.sync()
    tracking.sync()
    (run,) = runs(MlflowClient(f"sqlite:///{place}/new.db"), "run")  # and not net-1, whose parameters were edited
    assert (run.info.status, run.data.tags["weights_sha256"]) == ("FINISHED", "0" * 64)
    assert (run.data.tags["dvc.stage"], run.data.metrics["val/top1_err"]) == ("train@net-0", 9.0)


def test_a_run_that_somebody_has_deleted_stays_so(client: MlflowClient) -> None:
    train("net-0")
    (run,) = runs(client, "run")
    client.delete_run(run.info.run_id)
    tracking.sync()
    close()
    assert runs(client, "run") == []
    assert "| net-0 | 9.00 |" in runs(client, "study")[0].data.tags["mlflow.note.content"]


def test_what_was_kept_goes_to_the_store_of_a_checkout_that_was_moved(
    client: MlflowClient, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    shutil.copytree(tmp_path / "resolved", before / "resolved")
    monkeypatch.chdir(before)
    monkeypatch.setenv("DVC_ROOT", str(before))
    (before / "mlflow.db").write_text("no store")
    train("net-0")
    close()
    before.rename(after)
    shutil.copyfile(empty_store, after / "mlflow.db")
    monkeypatch.chdir(after)
    monkeypatch.setenv("DVC_ROOT", str(after))
    tracking.sync()
    moved = MlflowClient(f"sqlite:///{after}/mlflow.db")
    (run,), (parent,) = runs(moved, "run"), runs(moved, "study")
    assert (run.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    artifacts = [file.path for file in moved.list_artifacts(parent.info.run_id, "results")]
    assert "results/leaderboard.md" in artifacts
    assert not before.exists()


def test_a_full_disk_is_one_warning(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def full(path: Path, _content: Any) -> None:
        files.write_text(path, "")  # as far as the name goes
        Path("/dev/full").write_text("something")

    monkeypatch.setattr(tracking.files, "write_json", full)
    with shown("net-0", RECORD, "abc") as training:
        draw(training, [ROW])
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert said.count("\n") == 1
    assert [run.info.status for run in runs(client, "run")] == ["FINISHED"], "MLflow itself was there"


def test_a_damaged_account_is_one_warning_and_holds_nothing_up(
    client: MlflowClient, place: Path, capsys: pytest.CaptureFixture
) -> None:
    files.write_text(place / ".scratch/mlflow/torn.json", '{"key": "torn", "at"')
    train("net-0")
    assert "torn.json is damaged" in capsys.readouterr().err
    assert [run.info.status for run in runs(client, "run")] == ["FINISHED"]
    assert not accounts(place)


def test_a_short_stage_leaves_it_to_a_later_one_to_send(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracking.LATER, "1")
    train("net-0")
    assert client.get_experiment_by_name("test") is None
    monkeypatch.setattr(live, "SHORT", 0.01)
    with shown("net-1", RECORD, "long"):
        wait_for(lambda: client.get_experiment_by_name("test") and len(runs(client, "run")) == 2)
    assert [run.info.run_name for run in runs(client, "run")] == ["net-0", "net-1"]
    assert [run.info.status for run in runs(client, "run")] == ["FINISHED", "FINISHED"]


def test_the_stage_that_ends_a_study_waits_until_mlflow_has_all(
    client: MlflowClient, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.LATER, "1")
    train("net-0")
    assert accounts(place), "a short stage leaves it to another one to send"
    monkeypatch.delenv(tracking.LATER)
    close()
    assert [run.info.status for run in runs(client, "study") + runs(client, "run")] == ["FINISHED", "FINISHED"]


def test_a_training_ends_without_an_mlflow_that_hangs(
    client: MlflowClient, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WAIT", 0.1)
    with locked(place / ".scratch/mlflow/lock"):  # as if another process were waiting for a slow server
        started = time.monotonic()
        with shown("net-0", RECORD, "abc") as training:
            draw(training, [ROW])
        assert time.monotonic() - started < 5
        assert accounts(place)
    training.thread.join(30)
    tracking.sync()  # while what the thread has sent is there already
    assert [run.info.status for run in runs(client, "run")] == ["FINISHED"]
    assert not accounts(place)


def test_names_are_made_such_as_mlflow_takes(client: MlflowClient) -> None:
    with shown("net-0", RECORD | {"code": {"a#b@c": "d"}}, "abc"):
        pass
    (run,) = runs(client, "run")
    assert (run.info.status, run.data.params["code.a_b_first_c"]) == ("FINISHED", "d")


def test_what_mlflow_never_takes_holds_nothing_up(
    client: MlflowClient, place: Path, capsys: pytest.CaptureFixture
) -> None:
    train("net-0")
    client.delete_experiment(client.get_experiment_by_name("test").experiment_id)
    train("net-1")
    said = capsys.readouterr().err
    assert said.count("warning: MLflow") == said.count("\n") == 1
    assert not accounts(place)


def test_a_process_killed_while_it_creates_the_store_leaves_no_half_one(tmp_path: Path) -> None:
    store, partial = tmp_path / "mlflow.db", tmp_path / ".mlflow.db.partial"
    create = f"from ilsvrc_replay.runtime.mlflow_runs import create_whole; create_whole('sqlite:///{store}')"
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
