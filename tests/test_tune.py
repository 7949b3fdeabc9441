"""Stages tune and train of a real study, by their scripts: no test image is there, and nothing is done twice."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from clone import Clone, read_until, stages_run

from ilsvrc_replay import files

ENTRY = "entries.alexnet"
TUNE = ("python", "pipelines/tune.py", "--entry", "alexnet")


@pytest.fixture(autouse=True)
def no_test_images(clone: Clone) -> None:
    for path in (clone.folder / "data/packed/digits").glob("test*"):
        path.unlink()


def searched(clone: Clone, values: list[float], **other: float) -> None:
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.set(f"{ENTRY}.lr", {"search": values})
    for key, value in other.items():
        clone.set(f"{ENTRY}.{key}", value)
    clone.run("python", "pipelines/resolve.py")


def tuned(clone: Clone) -> tuple[bytes, bytes]:
    folder = clone.folder / "tuning/alexnet"
    return (folder / "run.json").read_bytes(), (folder / "search.csv").read_bytes()


def outcomes(clone: Clone) -> dict[str, str]:
    rows = files.read_csv(clone.folder / "tuning/alexnet/search.csv")
    return {row["value"]: row["outcome"] for row in rows}


def test_the_chosen_rate_is_trained_with_and_no_test_image_is_opened(clone: Clone) -> None:
    before = files.sha256(clone.folder / "runs/alexnet-0/weights.safetensors")
    searched(clone, [1e-5, 0.001, 1e30])
    said = clone.run(*TUNE)
    assert "warning" not in said
    assert outcomes(clone) == {"1e-05": "trained", "0.001": "chosen", "1e+30": "diverged"}
    run = json.loads((clone.folder / "tuning/alexnet/run.json").read_text())
    assert run["recipe"]["lr"] == 0.001
    assert run["search"] == {"key": "lr", "values": [1e-5, 0.001, 1e30], "share": 0.3, "seed": 1000}
    clone.run("python", "pipelines/train.py", "--entry", "alexnet", "--seed", "0")
    assert files.sha256(clone.folder / "runs/alexnet-0/weights.safetensors") == before, "as by that rate itself"
    record = json.loads((clone.folder / "runs/alexnet-0/training.json").read_text())
    assert record["search"] == run["search"]


def test_a_search_that_is_killed_goes_on_where_it_was(clone: Clone) -> None:
    searched(clone, [0.0005, 0.001], epochs=3.0)
    clone.run(*TUNE)
    whole = tuned(clone)
    shutil.rmtree(clone.folder / "tuning/alexnet")
    process = clone.start(*TUNE)
    read_until(process, "alexnet lr 0.001  epoch")
    process.send_signal(signal.SIGTERM)
    assert "stopped after step" in process.communicate()[0]
    assert not (clone.folder / "tuning/alexnet").exists()
    said = clone.run(*TUNE)
    assert "alexnet lr 0.0005" not in said, "it was finished"
    assert "alexnet lr 0.001  going on after step" in said
    assert tuned(clone) == whole
    assert not list((clone.folder / ".scratch/runs/alexnet.tune").glob("*/")), "nothing is left"


def test_the_edge_of_a_search_is_a_warning_and_a_search_in_vain_an_error(clone: Clone) -> None:
    searched(clone, [1e-5, 0.001])
    said = clone.run(*TUNE)
    assert "warning: entries.alexnet.lr: the best value, 0.001, lies at the edge of the search: higher ones may" in said
    before = tuned(clone)
    searched(clone, [1e29, 1e30])
    said = clone.run(*TUNE, code=1)
    assert "error: entries.alexnet.lr: every value of the search diverged: search lower ones" in said
    assert tuned(clone) == before


def test_a_plain_number_is_passed_on_without_training(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("python", "pipelines/resolve.py")
    noted = clone.folder.parent / "plain"
    noted.mkdir()
    noting = f"{Path(__file__).parent / 'noting'}:{clone.environment['PYTHONPATH']}"
    said = clone.run(*TUNE, PYTHONPATH=noting, NOTED=str(noted))
    assert said == ""
    assert not [name for name in (noted / "tune").read_text().split() if name.startswith("ilsvrc_replay.training")]
    assert outcomes(clone) == {}
    resolved = json.loads((clone.folder / "resolved/tune/alexnet.json").read_text())
    assert json.loads(tuned(clone)[0]) == resolved


def test_another_share_or_grid_searches_again_and_only_that_entry(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("dvc", "checkout", "-q", "--force")
    searched(clone, [1e-5, 0.001])
    ran = stages_run(clone.run("dvc", "repro", "train"))
    assert ran == ["resolve", "tune@alexnet", "train@alexnet-0"]
    assert stages_run(clone.run("dvc", "repro", "train")) == ["resolve"]
    clone.set("tuning", {"share": 0.4})
    ran = stages_run(clone.run("dvc", "repro", "train"))
    assert ran == ["resolve", "tune@alexnet", "train@alexnet-0"], "the search is part of a run's record"


def test_a_search_in_vain_stops_its_own_entry_alone(clone: Clone) -> None:
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("dvc", "checkout", "-q", "--force")
    clone.set(f"{ENTRY}.lr", {"search": [1e29, 1e30]})
    clone.set("entries.zfnet.lr", {"search": [0.001, 0.002]})
    said = clone.run("replay", "run", "--jobs", "2", code=1)
    log = ".scratch/logs/tune@alexnet.log"
    assert f"error: failed: tune@alexnet (what it said: {log}); the others are done" in said
    assert "zfnet  lr 0.00" in said
    assert "zfnet-0  single_crop: top-1 error" in said
    assert "alexnet-0" not in said
