from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import load_study
from ilsvrc_replay.runtime import rwlock
from ilsvrc_replay.tools import doctor

STUDIES = Path(__file__).parents[2] / "pipelines/studies"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    subprocess.check_call(["git", "init", "-q"])
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = /store\n")
    shutil.copy(STUDIES / "miniature.yaml", "params.yaml")
    return tmp_path


def test_a_folder_that_is_no_checkout_lacks_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = dict(doctor.examine(network=False))
    assert {name for name, finding in found.items() if finding.status == doctor.MISSING} == {"git", "DVC", "params"}
    assert "run from the repository's root" in found["DVC"].text
    assert found["torchvision"].status == doctor.FINE


def test_dvcs_remote_and_cache_are_told(checkout: Path) -> None:
    (checkout / ".dvc/cache").mkdir()
    (checkout / ".dvc/cache/part").write_bytes(bytes(3 << 20))
    assert "cache 3 MiB, remote store" in doctor.dvc().text
    (checkout / ".dvc/tmp").mkdir()
    (checkout / rwlock.FILE).write_text('{"read": {')
    assert "is what a kill left" in doctor.dvc().text
    rwlock.mend()
    assert "cache 3 MiB" in doctor.dvc().text
    (checkout / ".dvc/config").write_text("[core\n")
    assert doctor.dvc().status == doctor.MISSING


def test_data_that_is_missing_needs_no_help_unless_its_folder_does_not_exist(checkout: Path) -> None:
    study = load_study()
    assert doctor.data(study).status == doctor.NOTE
    lost = study.model_copy(update={"dataset": study.dataset.model_copy(update={"folder": "/nowhere"})})
    assert doctor.data(lost) == (doctor.MISSING, "dataset.folder is /nowhere, which does not exist")


def test_a_gpu_is_missed_only_by_a_study_that_wants_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    study = load_study()
    wants = study.model_copy(update={"compute": study.compute.model_copy(update={"device": "cuda"})})
    assert doctor.gpu(study).status == doctor.FINE
    assert doctor.gpu(wants).status == doctor.MISSING
    doctor.check_gpus(study)
    with pytest.raises(StudyError, match=r"there is no GPU, but .* is cuda: set it to cpu or auto"):
        doctor.check_gpus(wants)


def test_a_store_is_counted_and_a_damaged_one_named(checkout: Path) -> None:
    assert doctor.mlflow(network=False).text.endswith("no runs yet")
    with sqlite3.connect("mlflow.db") as store:
        store.execute("CREATE TABLE runs (lifecycle_stage TEXT)")
        store.executemany("INSERT INTO runs VALUES (?)", [["active"], ["active"], ["deleted"]])
    assert "2 runs in mlflow.db" in doctor.mlflow(network=False).text
    Path("mlflow.db").write_text("damaged " * 100)
    finding = doctor.mlflow(network=False)
    assert (finding.status, "cannot be read" in finding.text) == (doctor.NOTE, True)


def test_a_server_is_asked_only_when_told_to(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "not looked at; --network asks it" in doctor.mlflow(network=False).text
    assert "does not answer" in doctor.mlflow(network=True).text
    for address in ("http://localhost:abc", "http://[bad"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert "does not answer" in doctor.mlflow(network=True).text


def test_too_little_disk_is_missing(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ENOUGH_GIB", 1e9)
    assert doctor.disk().status == doctor.NOTE
    monkeypatch.setattr(doctor, "LEAST_GIB", 1e9)
    assert doctor.disk().status == doctor.MISSING


def test_without_git_a_study_runs_without_a_repository_it_does_not(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert doctor.git().status == doctor.NOTE
    shutil.rmtree(checkout / ".git")
    assert doctor.git() == (
        doctor.MISSING,
        "this folder is no git repository, which DVC needs: clone the project, or git init here",
    )
    with pytest.raises(StudyError, match="this folder is no git repository"):
        doctor.check_all_but_gpus(load_study())
