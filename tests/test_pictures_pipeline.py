"""A folder of images through the whole pipeline to a board, with a net that is trained here and one that was before."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import drawn
import pytest
from clone import Clone, stages_run

pytestmark = pytest.mark.long
CLASSES = ("bar", "cross", "disc")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    parent = tmp_path_factory.mktemp("pictures")
    folder = drawn.folder_of_classes(parent / "images", CLASSES, train=60, test=20)
    clone = Clone(parent / "clone")
    for key, value in {"name": "imagefolder", "folder": str(folder), "val_images": 30}.items():
        clone.set(f"dataset.{key}", value)
    for name in ("zfnet", "vgg16", "googlenet", "resnet50"):
        clone.set(f"entries.{name}", None)
    clone.set("entries.alexnet.epochs", 8.0)
    clone.set("entries.alexnet.lr", 0.003)
    clone.set("entries.alexnet.batch_size", 16)
    clone.commit()
    yield clone
    shutil.rmtree(parent, ignore_errors=True)


def test_a_folder_of_images_becomes_a_board(clone: Clone) -> None:
    said = clone.run("dvc", "repro")
    assert "imagefolder: 150 train, 30 val, 60 test images of 32 px" in said
    (row,) = clone.board()
    assert (row["dataset"], row["images"]) == ("imagefolder", "60")
    assert float(row["top1_err"]) < 40  # guessing has 67 %
    lock = clone.lock()
    assert [out["path"] for out in lock["acquire"]["outs"]] == ["data/raw/imagefolder"]
    assert lock["acquire"]["outs"][0]["nfiles"] == 1  # the list; the images stay where they are
    assert not list((clone.folder / "data/packed").glob(".*"))


def test_weights_from_a_file_are_a_row_beside_it(clone: Clone) -> None:
    shutil.copyfile(clone.folder / "runs/alexnet-0/weights.safetensors", clone.folder / "given.safetensors")
    given = {"architecture": "alexnet", "recipe": "pretrained", "weights": "given.safetensors"}
    clone.set("entries.given", given)
    ran = stages_run(clone.run("dvc", "repro"))
    assert sorted(ran) == ["aggregate", "evaluate@given-0", "page", "resolve", "train@given-0", "tune@given"]
    trained, given = clone.board()
    assert (trained["recipe"], given["recipe"]) == ("modern", "pretrained")
    assert trained["top1_err"] == given["top1_err"]
    record = json.loads((clone.folder / "runs/given-0/training.json").read_text())
    assert record["source"]["file"] == "given.safetensors"
    with (clone.folder / "runs/given-0/curves.csv").open() as file:
        assert list(csv.DictReader(file)) == []


def test_moved_images_are_the_same_data(clone: Clone) -> None:
    before = clone.lock()["prepare"]
    folder = Path(clone.params()["dataset"]["folder"])
    clone.set("dataset.folder", str(folder.rename(folder.with_name("moved"))))
    assert stages_run(clone.run("dvc", "repro")) == ["resolve", "acquire", "aggregate", "page"]
    assert clone.lock()["prepare"] == before


def test_an_image_that_changed_is_noticed_and_then_taken(clone: Clone) -> None:
    folder = Path(clone.params()["dataset"]["folder"])
    (folder / "train/bar/7.jpg").write_bytes(b"no image")
    clone.run("dvc", "repro", "--force", "--single-item", "acquire")
    said = clone.run("dvc", "repro", "prepare", code=255)
    assert "error: imagefolder: train/bar/7.jpg is no image of a kind that is read" in said
    assert "Traceback" not in said
    drawn.write(folder / "train/bar/7.jpg", drawn.jpeg(0, 7))
    clone.run("dvc", "repro", "--force", "--single-item", "acquire")
    clone.run("dvc", "repro", "prepare")
