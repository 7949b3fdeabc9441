"""The whole pipeline through DVC, in a clone of this repository: the miniature study on real images.

The tests of this file follow one another in one clone, as a person's session would.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
NETS = ["alexnet", "zfnet", "vgg16", "googlenet", "resnet50"]
IDENTITY = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Clone:
    """A working copy of the repository in a folder of its own, with no caches and no git identity of the user's."""

    def __init__(self, folder: Path) -> None:
        self.folder, home = folder, folder.parent / "home"
        home.mkdir()
        listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith(("metrics/", "results/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLFLOW_", "GIT_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = kept | {"HOME": str(home), "PATH": path, "PYTHONPATH": str(folder / "src"), "CI": "true"}
        self.run("git", "init", "-q", "-b", "main")
        self.edit("params.yaml", (folder / "pipelines/studies/miniature.yaml").read_text())
        self.commit()

    def run(self, *command: str, code: int | None = 0, **environment: str) -> str:
        """Run a command; asserts its exit status (any but 0 for None) and returns all that it said."""
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (result.returncode == code) if code is not None else result.returncode, result.stdout
        return result.stdout

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
        )

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "state", **IDENTITY)

    def edit(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def set(self, key: str, value: object) -> None:
        """Set a dotted key of params.yaml; None removes it."""
        content = self.params()
        *parents, last = key.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
        YAML().dump(content, self.folder / "params.yaml")

    def params(self) -> dict:
        return YAML(typ="safe", pure=True).load((self.folder / "params.yaml").read_text())

    def lock(self) -> dict:
        return YAML(typ="safe", pure=True).load((self.folder / "dvc.lock").read_text())["stages"]

    def board(self) -> list[dict[str, str]]:
        with (self.folder / "results/miniature/leaderboard.csv").open() as file:
            return list(csv.DictReader(file))


def read_until(process: subprocess.Popen, word: str) -> str:
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"it ended before it said {word!r}: {said}")


def works_in(cwd: Path, folder: Path) -> bool:
    try:
        return cwd.readlink().is_relative_to(folder)
    except OSError:  # ended meanwhile, or not ours to look at
        return False


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(.*?)'", output)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    folder = tmp_path_factory.mktemp("study") / "clone"
    folder.mkdir()
    yield Clone(folder)


def test_a_study_ends_with_its_board(clone: Clone) -> None:
    said = clone.run("replay", "run", "--jobs", "2")
    assert "Study miniature: digits, 500 test images" in said
    rows = clone.board()
    assert [row["entry"] for row in rows] == NETS
    assert all(row["images"] == "500" and row["dataset"] == "digits" for row in rows)
    by_name = {row["entry"]: float(row["top1_err"]) for row in rows}
    assert all(by_name[name] < 50 for name in ("alexnet", "zfnet"))  # two short epochs are enough for these
    for name in NETS:
        lines = (clone.folder / f"runs/{name}-0/curves.csv").read_text().splitlines()
        assert len(lines) == 5
        assert (clone.folder / f"predictions/{name}-0.npz").is_file()
    assert "linear classifier" in (clone.folder / "results/miniature/leaderboard.md").read_text()
    clone.commit()


def test_mlflow_has_the_study_with_its_runs(clone: Clone) -> None:
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("miniature").experiment_id
    (parent,) = client.search_runs([experiment], "tags.kind = 'study'")
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert parent.info.status == "FINISHED"
    names = [file.path for file in client.list_artifacts(parent.info.run_id, "results")]
    assert names == [f"results/leaderboard.{kind}" for kind in ("csv", "json", "md")]
    assert sorted(child.info.run_name for child in children) == sorted(f"{name}-0" for name in NETS)
    board = {f"{row['entry']}-0": float(row["top1_err"]) for row in clone.board()}
    for child in children:
        tags = child.data.tags
        assert child.info.status == "FINISHED"
        assert child.data.metrics["test/single_crop/top1_err"] == board[child.info.run_name]
        assert len(client.get_metric_history(child.info.run_id, "val/top1_err")) == 4
        assert tags["dvc.stage"] == f"train@{child.info.run_name}"
        assert len(tags["weights_sha256"]) == 64
        assert len(tags["mlflow.source.git.commit"]) == 40


def test_a_second_run_does_nothing(clone: Clone) -> None:
    before = (clone.folder / "dvc.lock").read_bytes()
    start = time.monotonic()
    assert "everything is up to date" in clone.run("replay", "run")
    assert stages_run(clone.run("dvc", "repro")) == []
    assert time.monotonic() - start < 20
    assert (clone.folder / "dvc.lock").read_bytes() == before


def test_an_edit_of_one_entry_runs_its_stages_and_the_aggregate(clone: Clone) -> None:
    clone.set("entries.alexnet.lr", 0.02)
    ran = stages_run(clone.run("dvc", "repro"))
    assert ran == ["train@alexnet-0", "evaluate@alexnet-0", "aggregate"]


def test_an_experiment_does_the_same_and_shows_beside_the_other(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", ".")
    said = clone.run("dvc", "exp", "run", "-n", "faster", "-S", "entries.alexnet.lr=0.02")
    assert set(stages_run(said)) <= {"train@alexnet-0", "evaluate@alexnet-0", "aggregate"}
    table = clone.run("dvc", "exp", "show", "--only-changed", "--csv").splitlines()
    header, rows = table[0].split(","), [line.split(",") for line in table[1:]]
    rate = header.index("entries.alexnet.lr")
    assert {row[rate] for row in rows} >= {"0.01", "0.02"}
    assert any("faster" in row for row in rows)
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


def test_an_edit_of_one_architecture_runs_the_entries_that_use_it(clone: Clone) -> None:
    file = clone.folder / "src/ilsvrc_replay/architectures/zfnet.py"
    file.write_text(file.read_text().replace("norm1=LocalResponseNorm()", "norm1=LocalResponseNorm(k=1.0)"))
    ran = stages_run(clone.run("dvc", "repro"))
    assert ran == ["architecture@zfnet", "train@zfnet-0", "evaluate@zfnet-0", "aggregate"]
    clone.run("git", "checkout", "-q", "src")


def test_a_removed_entry_leaves_the_board(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")
    clone.set("entries.vgg16", None)
    assert stages_run(clone.run("dvc", "repro")) == ["aggregate"]
    assert [row["entry"] for row in clone.board()] == [name for name in NETS if name != "vgg16"]
    clone.run("git", "checkout", "-q", ".")


BAD = [
    ("entries.alexnet.lrr", 0.1, "params.yaml: entries.alexnet.lrr is not a known key; did you mean lr?"),
    ("entries.alexnet.architecture", "alexnte", "entries.alexnet: there is no architecture 'alexnte'"),
    ("dataset.folder", "/nowhere", "digits could not be acquired (dataset.folder: /nowhere is not a folder)"),
]


def test_bad_input_is_one_line_and_nothing_is_lost(clone: Clone) -> None:
    before = (clone.folder / "dvc.lock").read_bytes()
    for key, value, message in BAD:
        clone.set(key, value)
        for command in (["replay", "run"], ["dvc", "repro"]):
            said = clone.run(*command, code=None)
            assert [line for line in said.splitlines() if line.startswith(f"error: {message}")], said
            assert "Traceback" not in said
        clone.run("git", "checkout", "-q", "params.yaml")
    assert (clone.folder / "dvc.lock").read_bytes() == before
    assert " epoch " not in clone.run("replay", "run"), "what was there must still be there"
    assert (clone.folder / "dvc.lock").read_bytes() == before


def test_studies_are_put_in_place_by_name(clone: Clone) -> None:
    assert "there is no study 'quik'; there are miniature, quick" in clone.run("replay", "use", "quik", code=1)
    clone.set("entries.alexnet.lr", 0.5)
    assert "params.yaml was edited: it is kept as params.yaml.before" in clone.run("replay", "use", "quick")
    assert "results/quick holds no leaderboard yet" in clone.run("replay", "show", code=1)
    clone.run("replay", "use", "miniature")
    assert clone.params()["study"] == "miniature"
    assert YAML(typ="safe").load((clone.folder / "params.yaml.before").read_text())["entries"]["alexnet"]["lr"] == 0.5
    (clone.folder / "params.yaml.before").unlink()


def test_a_damaged_original_is_named(clone: Clone, tmp_path: Path) -> None:
    original = (clone.folder / "data/raw/digits/digits.csv").read_bytes()
    (tmp_path / "digits.csv").write_bytes(original[:-1000])
    clone.set("dataset.folder", str(tmp_path))
    said = clone.run("replay", "run", code=1)
    assert "digits could not be acquired (dataset.folder: digits.csv is damaged or not the original" in said
    assert not list((clone.folder / "data/raw").glob(".digits*")), "nothing half-made stays"
    clone.run("git", "checkout", "-q", "params.yaml")


def test_a_failed_run_is_named_and_stops_no_other(clone: Clone) -> None:
    clone.set("entries.zfnet.lr", 1e6)
    clone.set("entries.alexnet.lr", 0.03)
    said = clone.run("replay", "run", code=1)
    assert "error: the loss is not a number any more" in said
    assert "error: failed: train@zfnet-0; what it said stands above, the others are done" in said
    assert "alexnet-0  single_crop: top-1 error" in said
    assert "train@zfnet-0" in clone.run("dvc", "status")
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_every_process(clone: Clone, number: signal.Signals) -> None:
    clone.set("entries.alexnet.epochs", 500.0)
    process = clone.start("replay", "run")
    said = read_until(process, " epoch ")
    os.kill(process.pid, number)
    said += process.stdout.read()
    assert process.wait() == 130
    assert "error: stopped; what was finished is kept, run again to go on" in said
    assert "Traceback" not in said
    inside = [path for path in Path("/proc").glob("[0-9]*/cwd") if works_in(path, clone.folder)]
    assert not inside
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_training_is_never_taken_for_a_finished_one(clone: Clone, number: signal.Signals) -> None:
    before = clone.lock()["train@alexnet-0"]
    clone.set("entries.alexnet.epochs", 500.0)
    process = clone.start("dvc", "repro", "--single-item", "train@alexnet-0")
    said = read_until(process, " epoch ")
    trainer = subprocess.check_output(["pgrep", "-g", str(process.pid), "-f", "^python pipelines/train.py"])
    os.kill(int(trainer), number)
    said += process.stdout.read()
    assert process.wait() != 0, said
    if number != signal.SIGKILL:
        assert "error: " in said
    assert clone.lock()["train@alexnet-0"] == before
    assert not list((clone.folder / "runs/alexnet-0").glob("weights*"))
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("dvc", "checkout", "-q", "--force")
