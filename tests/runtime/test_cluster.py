"""What a cluster's driver and workers do without Ray: snapshots, clones, checks, and what a worker says."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from place import Place

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime.cluster import snapshot, worker
from ilsvrc_replay.runtime.cluster.cluster_launcher import ClusterLauncher
from ilsvrc_replay.runtime.cluster.driver_config import config, packages
from ilsvrc_replay.runtime.cluster.ray_cluster import RayCluster, sizes

IDENTITY = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A repository with files that are committed, edited, new, gone and ignored."""
    place = Place(tmp_path / "checkout", ("GIT_", "DVC_"), HOME=str(tmp_path))
    place.folder.mkdir()
    monkeypatch.chdir(place.folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    place.run("git", "init", "-q", "-b", "main")
    for name in ("kept", "edited", "gone"):
        Path(name).write_text("as committed\n")
    Path(".gitignore").write_text("/ignored\n/.scratch/\n")
    place.run("git", "add", "-A")
    place.run("git", "commit", "-qm", "first", **IDENTITY)
    Path("edited").write_text("as edited\n")
    Path("new").write_text("new\n")
    Path("ignored").write_text("ignored\n")
    Path("gone").unlink()
    return place


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The node's folder of clones; DVC, which has nothing to pull here, is left out."""
    called = worker.called
    monkeypatch.setattr(worker, "called", lambda *words, **rest: None if "dvc" in words else called(*words, **rest))
    monkeypatch.setenv(worker.DISK, str(tmp_path / "disk"))
    return tmp_path / "disk"


def clone_of(content: dict) -> Path:
    (driver, task) = {"name": "study", "decided": (), "environment": {}}, {"snapshot": content["id"]}
    with worker.in_clone(driver, task, lambda: content) as (folder, _):
        (folder / ".dvc").mkdir(exist_ok=True)
        return folder


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file() and path.name != ".gitignore"}


@pytest.mark.usefixtures("bring")
def test_a_clone_is_the_checkout_as_it_stands(checkout: Place, bring: Path) -> None:
    before = checkout.run("git", "status", "--porcelain")
    (bring / "study/.dvc").mkdir(parents=True)
    taken = snapshot.take("[core]\nremote = store", [])
    folder = clone_of(taken)
    assert files(folder) == {"kept": "as committed\n", "edited": "as edited\n", "new": "new\n"}
    assert (folder / ".dvc/config.local").read_text() == "[core]\nremote = store"
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True)
    assert head == checkout.run("git", "rev-parse", "HEAD")
    assert checkout.run("git", "status", "--porcelain") == before
    assert sorted(snapshot.uncommitted()) == ["edited", "gone", "new"]


def test_a_clone_is_used_again(checkout: Place, bring: Path) -> None:
    (bring / "study/.dvc").mkdir(parents=True)
    first = snapshot.take("", [])
    folder = clone_of(first)
    (folder / "ignored").write_text("the state of a training\n")
    assert snapshot.take("", [])["id"] == first["id"]
    clone_of(first | {"bundle": b"not looked at"})
    Path("new").unlink()
    Path("edited").write_text("again\n")
    folder = clone_of(snapshot.take("", []))
    assert files(folder) == {"kept": "as committed\n", "edited": "again\n", "ignored": "the state of a training\n"}


def test_a_shallow_checkout_has_clones_too(checkout: Place, bring: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout.run("git", "commit", "-qam", "second", **IDENTITY)
    shallow = checkout.folder.parent / "shallow"
    checkout.run("git", "clone", "-q", "--depth", "1", f"file://{checkout.folder}", str(shallow))
    monkeypatch.chdir(shallow)
    (bring / "study/.dvc").mkdir(parents=True)
    assert files(clone_of(snapshot.take("", []))) == {"kept": "as committed\n", "edited": "as edited\n"}


def test_a_repository_without_a_commit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    with pytest.raises(StudyError, match="gets the checkout by git, which fails"):
        snapshot.take("", [])


def test_the_remote_is_passed_on_as_dvc_sees_it(checkout: Place) -> None:
    checkout.run("dvc", "init", "-q")
    assert config() == ""
    checkout.run("dvc", "remote", "add", "--default", "my store", "../store")
    checkout.run("dvc", "remote", "modify", "--local", "my store", "verify", "true")
    text = config()
    Path(".dvc/config").write_text("")
    Path(".dvc/config.local").write_text(text)
    assert str(checkout.folder.parent / "store") in checkout.run("dvc", "remote", "list")
    assert config() == text


def test_a_package_that_differs_is_named() -> None:
    here = {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.0"}
    assert worker.difference(here, dict(here)) == ""
    assert worker.difference(here, here | {"numpy": "2.3.0"}).startswith("has numpy 2.3.0, the driver has 2.4.0")
    assert worker.difference(here, {"python": "3.11.7", "torch": "2.13.0"}).startswith("lacks numpy")


def test_the_packages_are_those_of_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    found = worker.versions(packages())
    assert {"python", "torch", "ray", "ruamel.yaml"} <= found.keys()


@pytest.mark.parametrize(
    ("compute", "has_gpus", "wanted"),
    [
        ({"device": "cpu", "threads": 2, "devices": 3}, True, (6, 0)),
        ({"device": "auto", "threads": 2}, False, (2, 0)),
        ({"device": "auto", "threads": 2, "devices": 4}, True, (4, 4)),
        ({"device": "cuda", "devices": 8}, False, (8, 8)),
    ],
)
def test_a_run_takes_what_compute_names(compute: dict, has_gpus: bool, wanted: tuple[int, int]) -> None:
    taken = sizes(Compute(**compute), has_gpus)
    assert (taken["num_cpus"], taken["num_gpus"]) == wanted


def test_what_a_process_says_is_passed_on_line_by_line() -> None:
    code = "import sys; print('one'); sys.stdout.flush(); print('moves', end='\\r'); print('wrong', file=sys.stderr)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = list(worker.speech(process))
    process.wait()
    assert [event for event in said if not event[3]] == [("line", "one", False, False), ("line", "moves", True, False)]
    assert [event for event in said if event[3]] == [("line", "wrong", False, True)]


def test_a_training_waits_for_one_that_is_being_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACE", 0.3)
    lock = tmp_path / ".scratch/runs/alexnet-0/fingerprint/lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        worker.wait_for_the_killed(tmp_path, "alexnet-0")
    worker.wait_for_the_killed(tmp_path, "alexnet-0")


def test_a_net_on_several_machines_is_refused() -> None:
    with pytest.raises(StudyError, match=r"compute\.nodes"):
        ClusterLauncher(2, 1, None, Compute(nodes=2))


def test_runs_that_end_soon_after_one_another_are_entered_together(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = ClusterLauncher(3, 3, None, Compute())
    launcher.groups = {name: [f"train@{name}"] for name in ("first", "second", "last")}
    batches: list[list[str]] = []

    def entered(batch: list[dict]) -> bool:
        batches.append([each["name"] for each in batch])
        for each in batch:
            each["done"] = True
        return True

    monkeypatch.setattr(launcher, "enter_all", entered)
    launcher.asking = 1  # the last one is out yet
    made = {"accounts": [], "entries": {}}
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(launcher.enter, name, made) for name in ("first", "second")]
        while len(launcher.book) < 2:
            time.sleep(0.01)
        with launcher.order:
            launcher.asking = 0
            launcher.order.notify_all()
        assert all(each.result() for each in done)
    assert [sorted(batch) for batch in batches] == [["first", "second"]]
    assert launcher.enter("last", made), "with nothing out it is not waited"
    assert batches[1:] == [["last"]]


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StudyError, match=r"--on ray needs Ray: pip install -e \.\[cluster\]"):
        RayCluster(None, Compute())


def test_an_address_of_rays_client_is_refused() -> None:
    pytest.importorskip("ray")
    with pytest.raises(StudyError, match="on a node of the cluster"):
        RayCluster("ray://head:10001", Compute())
