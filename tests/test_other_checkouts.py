"""A stage runs the code beside it, whichever checkout's package is installed or comes first on the path."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clone import IDENTITY, Clone, stages_run

EDITED = "src/ilsvrc_replay/metrics.py"


@pytest.fixture(scope="module")
def clone(finished: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A finished study in an environment that has another checkout's package: that of the study it was copied from."""
    clone = finished.twin(tmp_path_factory.mktemp("study"))
    clone.environment["PYTHONPATH"] = str(finished.folder / "src")
    return clone


@pytest.fixture(autouse=True)
def as_committed(clone: Clone) -> Iterator[None]:
    """Every test finds the study's files as they were committed."""
    yield
    clone.run("git", "checkout", "-q", ".")


@pytest.fixture
def finished_again(clone: Clone) -> Iterator[None]:
    """After a test that makes other results, the committed ones are put back."""
    yield
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


def edit(folder: Path) -> None:
    """Take an image for right if its class is among the net's first four."""
    text = (folder / EDITED).read_text()
    assert "topk(min(k, " in text
    (folder / EDITED).write_text(text.replace("topk(min(k, ", "topk(min(k + 3, "))


def stored(measured: str) -> float:
    return json.loads(measured)["single_crop"]["top1_err"]


def true(folder: Path) -> float:
    """The error by the edited measure, from the predictions."""
    with np.load(folder / "predictions/alexnet-0.npz") as saved:
        first = (-saved["single_crop"]).argsort(1)[:, :4]
        return 100 * float((first != saved["labels"][:, None]).all(1).mean())


def in_workspace(folder: Path) -> float:
    return stored((folder / "metrics/alexnet-0.json").read_text())


def wait_for_the_queue(clone: Clone) -> None:
    deadline = time.monotonic() + 300
    while "Success" not in (said := clone.run("dvc", "queue", "status")) or "0 active" not in said:
        assert "Failed" not in said, clone.run("dvc", "queue", "logs", "edited")
        assert time.monotonic() < deadline, said
        time.sleep(1)


@pytest.mark.usefixtures("finished_again")
@pytest.mark.parametrize("way", ["queue", pytest.param("temp", marks=pytest.mark.long)])
def test_an_experiment_in_a_folder_of_its_own_has_the_edited_codes_result(clone: Clone, way: str) -> None:
    before, right = in_workspace(clone.folder), true(clone.folder)
    assert before - right > 1
    edit(clone.folder)
    clone.run("dvc", "exp", "run", f"--{way}", "-n", "edited", "evaluate@alexnet-0", **IDENTITY)
    clone.run("git", "checkout", "-q", "src")
    if way == "queue":
        clone.run("dvc", "queue", "start", **IDENTITY)
        wait_for_the_queue(clone)
    name = clone.run("git", "for-each-ref", "--format=%(refname)", "refs/exps/**/edited").strip()
    assert "k + 3" in clone.run("git", "show", f"{name}:{EDITED}")
    assert stored(clone.run("git", "show", f"{name}:metrics/alexnet-0.json")) == pytest.approx(right)
    assert in_workspace(clone.folder) == before
    edit(clone.folder)
    said = clone.run("dvc", "repro", "evaluate@alexnet-0")
    assert "Stage 'evaluate@alexnet-0' is cached" in said
    assert in_workspace(clone.folder) == pytest.approx(right)


@pytest.mark.usefixtures("finished_again")
def test_a_second_clone_runs_its_own_code(clone: Clone) -> None:
    right = true(clone.folder)
    edit(clone.folder)
    said = clone.run("dvc", "repro", "--single-item", "--force", "evaluate@alexnet-0")
    assert stages_run(said) == ["evaluate@alexnet-0"]
    assert in_workspace(clone.folder) == pytest.approx(right)


@pytest.mark.long
def test_a_worktree_runs_its_own_code(clone: Clone, tmp_path: Path) -> None:
    right, tree = true(clone.folder), tmp_path / "tree"
    clone.run("git", "worktree", "add", "-q", "--detach", str(tree))
    clone.run("dvc", "config", "--local", "cache.dir", str(clone.folder / ".dvc/cache"))
    worktree = Clone(tree)
    worktree.environment |= clone.environment
    (tree / ".dvc/config.local").write_text((clone.folder / ".dvc/config.local").read_text())
    edit(tree)
    worktree.run("dvc", "repro", "evaluate@alexnet-0")
    assert in_workspace(tree) == pytest.approx(right)


@pytest.mark.parametrize("strict", ["", "1"])
def test_a_stage_is_not_led_astray_by_the_path(clone: Clone, finished: Clone, strict: str) -> None:
    """PYTHONSAFEPATH hides the folder of a script from it, so that it finds the other checkout's modules."""
    (clone.folder / "src/ilsvrc_replay/page/viewer.py").open("a").write("\nprint('run from', __file__)\n")
    path = f"{finished.folder}/pipelines:{finished.folder}/src"
    said = clone.run("python", "pipelines/viewer.py", PYTHONSAFEPATH=strict, PYTHONPATH=path)
    assert said == f"run from {clone.folder}/src/ilsvrc_replay/page/viewer.py\n"


def test_a_stage_that_has_another_checkouts_package_refuses(clone: Clone, finished: Clone, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import ilsvrc_replay\n")
    path = f"{tmp_path}:{finished.folder}/src"
    said = clone.run("python", "pipelines/viewer.py", code=1, PYTHONPATH=path)
    assert said.startswith(f"error: this stage would run {finished.folder}/src/ilsvrc_replay/__init__.py, not the code")
    assert said.count("\n") == 1


def test_the_command_runs_the_code_of_the_checkout_it_stands_in(clone: Clone) -> None:
    commands = clone.folder / "src/ilsvrc_replay/commands.py"
    commands.write_text(commands.read_text().replace("Begin with", "In this checkout, begin with"))
    assert "In this checkout, begin with" in clone.run("replay", "--help")
    clone.run("git", "checkout", "-q", "src")
    assert "In this checkout" not in clone.run("replay", "--help")


def test_the_command_outside_of_a_checkout_is_the_installed_one(clone: Clone, tmp_path: Path) -> None:
    assert "Begin with" in clone.run("env", "-C", str(tmp_path), "replay", "--help")


def test_the_command_refuses_where_it_cannot_run_a_checkouts_code(
    clone: Clone, finished: Clone, tmp_path: Path
) -> None:
    other = f"{finished.folder}/src"
    (tmp_path / "sitecustomize.py").write_text(f"import sys\n\nsys.path.insert(0, {other!r})\n")
    said = clone.run("replay", "show", code=1, PYTHONPATH=str(tmp_path))
    reason = f"not the code in {clone.folder}/src: activate this checkout's environment"
    assert said == f"error: this would run {other}/ilsvrc_replay/cli.py, {reason}\n"
