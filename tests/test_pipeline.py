"""The whole pipeline through DVC, in a clone of this repository: the miniature study on real images.

The tests of this file follow one another in one clone, as a person's session would.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from clone import NETS, Clone, stages_run
from mlflow import MlflowClient
from ruamel.yaml import YAML


def test_a_study_ends_with_its_board(clone: Clone) -> None:
    said = (clone.folder.parent / "said").read_text()
    assert "Study miniature: top-1 error on 500 test images of digits" in said
    rows = clone.board()
    assert [row["entry"] for row in rows] == list(NETS)
    assert all(row["images"] == "500" and row["dataset"] == "digits" for row in rows)
    by_name = {row["entry"]: float(row["top1_err"]) for row in rows}
    assert all(by_name[name] < 50 for name in ("alexnet", "zfnet"))  # two short epochs are enough for these
    for name in NETS:
        lines = (clone.folder / f"runs/{name}-0/curves.csv").read_text().splitlines()
        assert len(lines) == 5
        assert (clone.folder / f"predictions/{name}-0.npz").is_file()
    assert "linear classifier" in (clone.folder / "results/miniature/leaderboard.md").read_text()


def test_mlflow_has_the_study_with_its_runs(clone: Clone) -> None:
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("miniature").experiment_id
    (parent,) = client.search_runs([experiment], "tags.kind = 'study'")
    children = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert parent.info.status == "FINISHED"
    names = [file.path for file in client.list_artifacts(parent.info.run_id, "results")]
    assert names == [
        "results/curves.csv",
        "results/figures",
        "results/index.html",
        *(f"results/leaderboard.{kind}" for kind in ("csv", "json", "md")),
        "results/measured.csv",
        "results/params.json",
        "results/parts.csv",
        "results/runs.json",
        "results/steps.csv",
        "results/tuning.csv",
        "results/weights.csv",
        "results/wrong.npz",
    ]
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
        best = client.get_model_version_by_alias(f"miniature-{tags['entry']}", "best")
        assert best.run_id == child.info.run_id
        assert best.source == f"dvc://runs/{child.info.run_name}/weights.safetensors"


def test_the_terminals_board_is_whole_in_80_columns(clone: Clone) -> None:
    lines = clone.run("replay", "show").splitlines()
    table = [line for line in lines if line.split()[:1] and line.split()[0].isdigit()]
    assert {line.split()[1] for line in table} == {*NETS, "pair"}
    assert all(len(line) <= 80 and "…" not in line for line in table)


def test_the_doctor_finds_all_that_is_needed(clone: Clone) -> None:
    said = clone.run("replay", "doctor")
    assert "study miniature, 3 entries, 3 runs" in said
    assert "digits is packed: 1,100 train, 197 val, 500 test images of 32 px" in said
    assert not [line for line in said.splitlines() if line.startswith("missing")]


def test_a_second_run_does_nothing(clone: Clone) -> None:
    before = (clone.folder / "dvc.lock").read_bytes()
    start = os.times()
    assert "everything is up to date" in clone.run("replay", "run")
    assert stages_run(clone.run("dvc", "repro")) == ["resolve"]  # which looks for what DVC does not see
    spent = os.times()
    assert spent.children_user + spent.children_system - start.children_user - start.children_system < 20
    assert (clone.folder / "dvc.lock").read_bytes() == before


def test_the_notebooks_run_on_a_fresh_study_and_leave_it_as_it_is(clone: Clone) -> None:
    notebooks = sorted((clone.folder / "notebooks").glob("*.ipynb"))
    names = [str(notebook.relative_to(clone.folder)) for notebook in notebooks]
    clone.run("jupyter-execute", "--inplace", *names, MPLCONFIGDIR=str(clone.folder.parent / "home"))
    cells = {notebook.stem: nbformat.read(notebook, as_version=4).cells for notebook in notebooks}
    drawn = {
        name: sum("image/png" in output.get("data", {}) for cell in found for output in cell.get("outputs", []))
        for name, found in cells.items()
    }
    assert drawn["leaderboard"] == 2
    assert drawn["first_filters"] >= 2  # before and after, of AlexNet at the least
    assert drawn["missed_by_all"] >= 1  # how many galleries have an image in them depends on the nets
    assert (drawn["depth"], drawn["two_recipes"]) == (1, 1)
    clone.run("git", "checkout", "-q", "notebooks")
    assert clone.run("git", "status", "--porcelain") == ""


def test_an_edit_of_one_entry_runs_its_stages_and_the_board(clone: Clone) -> None:
    clone.set("entries.alexnet.lr", 0.02)
    ran = stages_run(clone.run("dvc", "repro"))
    assert ran == ["resolve", "tune@alexnet", "train@alexnet-0", "evaluate@alexnet-0", "aggregate", "page"]


def test_an_experiment_does_the_same_and_shows_beside_the_other(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", ".")
    said = clone.run("dvc", "exp", "run", "-n", "faster", "-S", "entries.alexnet.lr=0.02")
    assert set(stages_run(said)) <= {
        *("resolve", "tune@alexnet", "train@alexnet-0", "evaluate@alexnet-0", "aggregate", "page")
    }
    table = clone.run("dvc", "exp", "show", "--only-changed", "--csv").splitlines()
    header, rows = table[0].split(","), [line.split(",") for line in table[1:]]
    rate = header.index("entries.alexnet.lr")
    assert {row[rate] for row in rows} >= {"0.001", "0.02"}
    assert any("faster" in row for row in rows)
    said = clone.run("replay", "compare", "HEAD", "faster")
    assert "entries.alexnet.lr  0.001 → 0.02" in said
    assert "500 test images" in said
    assert "not judged: one seed" in said
    assert "unchanged, image by image: zfnet, googlenet" in said
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


def test_an_edit_of_one_architecture_runs_the_entries_that_use_it(clone: Clone) -> None:
    file = clone.folder / "src/ilsvrc_replay/nets/zfnet.py"
    file.write_text(file.read_text().replace("norm1=LocalResponseNorm()", "norm1=LocalResponseNorm(k=1.0)"))
    ran = stages_run(clone.run("dvc", "repro"))
    assert ran == ["resolve", "tune@zfnet", "train@zfnet-0", "evaluate@zfnet-0", "aggregate", "claims", "page"]
    clone.run("git", "checkout", "-q", "src")


def test_a_removed_entry_leaves_the_board_and_takes_its_files_along(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")
    made = [f"metrics/{name}-0.json" for name in NETS] + [f"runs/{name}-0/weights.safetensors" for name in NETS]
    made += [f"predictions/{name}-0.npz" for name in NETS]
    own = clone.folder / "metrics/own-0.json"
    own.write_text("{}")
    clone.set("entries.googlenet", None)
    assert stages_run(clone.run("dvc", "repro")) == ["resolve", "aggregate", "page"]
    assert [row["entry"] for row in clone.board()] == [name for name in NETS if name != "googlenet"]
    assert {name for name in made if not (clone.folder / name).exists()} == {
        name for name in made if "googlenet" in name
    }
    assert not (clone.folder / "runs/googlenet-0").exists()
    assert " D metrics/googlenet-0.json" in clone.run("git", "status", "--porcelain").splitlines()
    assert own.read_text() == "{}", "what DVC does not know stays"
    own.unlink()
    clone.run("git", "checkout", "-q", "params.yaml")
    assert " epoch " not in clone.run("dvc", "repro"), "taken back, it comes from the cache"
    assert all((clone.folder / name).exists() for name in made)
    assert clone.run("git", "status", "--porcelain", "metrics", "results") == ""
    clone.run("git", "checkout", "-q", ".")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_is_not_there_is_told_before_anything_is_emptied(clone: Clone) -> None:
    before = clone.made()
    clone.set("compute.device", "cuda")
    said = clone.run("replay", "run", code=1)
    assert said == "error: there is no GPU, but compute.device is cuda: set it to cpu or auto in params.yaml\n"
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("dvc", "repro", "resolve")
    assert clone.made() == before


def test_without_the_command_git_a_study_runs(clone: Clone) -> None:
    clone.set("entries.alexnet.lr", 0.02)
    said = clone.run("replay", "run", PATH=str(Path(sys.executable).parent))
    assert "Traceback" not in said
    assert "warning" not in said
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")


def test_without_a_repository_a_line_says_what_to_do(clone: Clone) -> None:
    (clone.folder / ".git").rename(clone.folder / "git")
    said = clone.run("replay", "run", code=1)
    assert said == "error: this folder is no git repository, which DVC needs: clone the project, or git init here\n"
    (clone.folder / "git").rename(clone.folder / ".git")


BAD = [
    ("entries.alexnet.lrr", 0.1, "params.yaml: entries.alexnet.lrr is not a known key; did you mean lr?"),
    ("entries.alexnet.architecture", "alexnte", "entries.alexnet: there is no architecture 'alexnte'"),
    ("dataset.folder", "/nowhere", "digits could not be acquired (dataset.folder: /nowhere is not a folder)"),
]


def test_bad_input_is_one_line_and_nothing_is_lost(clone: Clone) -> None:
    before, kept = (clone.folder / "dvc.lock").read_bytes(), clone.lock()
    for key, value, message in BAD:
        clone.set(key, value)
        for command in (["replay", "run"], ["dvc", "repro"]):
            said = clone.run(*command, code=None)
            assert [line for line in said.splitlines() if line.startswith(f"error: {message}")], said
            assert "Traceback" not in said
        clone.run("git", "checkout", "-q", "params.yaml")
    assert clone.lock() | {"resolve": None} == kept | {"resolve": None}
    assert " epoch " not in clone.run("replay", "run"), "what was there must still be there"
    assert (clone.folder / "dvc.lock").read_bytes() == before


def test_studies_are_put_in_place_by_name(clone: Clone) -> None:
    said = clone.run("replay", "use", "quik", code=1)
    assert "there is no study 'quik'; there are cifar10, claims" in said
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
