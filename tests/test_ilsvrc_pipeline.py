"""A miniature of ILSVRC-2012, in its three archives, through the whole pipeline to a board."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import drawn
import pytest
from clone import Clone

from ilsvrc_replay.datasets import imagenet

pytestmark = pytest.mark.long
WNIDS = ("n01440764", "n01443537", "n01484850")
TRAIN, VAL = 400, 90  # training images of a class, validation images


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A study of one net on the miniature, whose counts and checksums are taken for the real ones."""
    folder = tmp_path / "given"
    drawn.ilsvrc(folder, WNIDS, train=TRAIN, val=VAL, enlarged=10)
    clone = Clone(tmp_path / "clone")
    source = clone.folder / "src/ilsvrc_replay/data/imagenet.py"
    text = source.read_text().replace("1000, 1_281_167, 50_000", f"{len(WNIDS)}, {len(WNIDS) * TRAIN}, {VAL}")
    for name, published in imagenet.ARCHIVES.items():
        text = text.replace(published, hashlib.md5((folder / name).read_bytes()).hexdigest())  # noqa: S324
    source.write_text(text)
    clone.keep("alexnet")
    data = {"name": "imagenet", "folder": str(folder), "stored_size": 37, "val_images": 60, "storage": "jpeg"}
    for key, value in data.items():
        clone.set(f"dataset.{key}", value)
    for key, value in {"epochs": 3.0, "lr": 0.003, "batch_size": 16, "test_scale": 8 / 7}.items():
        clone.set(f"entries.alexnet.{key}", value)
    clone.set("evaluation", {"protocols": ["single_crop", "ten_crop"], "batch_size": 50})
    clone.commit()
    return clone


def test_the_archives_become_a_board_though_packing_is_killed(clone: Clone) -> None:
    process = clone.start("dvc", "repro")
    notes = clone.folder / "data/packed/.imagenet.unfinished"
    while not list(notes.glob("train/*.json")):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert clone.is_quiet(30)
    assert not (clone.folder / "data/packed/imagenet").exists()

    said = clone.run("replay", "run")
    assert f"imagenet: {TRAIN * len(WNIDS) - 60:,} train, 60 val, {VAL} test images of 32 px" in said, said
    (row,) = clone.board()
    assert (row["dataset"], row["images"]) == ("imagenet", str(VAL))
    assert float(row["top1_err"]) < 20  # guessing has 67 %
    assert clone.board("ten_crop")
    before = clone.made()
    assert len(list((clone.folder / "data/packed/imagenet").iterdir())) < 12  # never a file for each image
    assert not notes.exists()

    clone.run("dvc", "repro", "--force", "--single-item", "prepare")
    assert clone.made() == before
