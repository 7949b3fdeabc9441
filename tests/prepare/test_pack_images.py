"""Packing image files: the same bytes whatever the threads, after a kill, and from a folder or a zip."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import drawn
import numpy as np
import pytest

from ilsvrc_replay.datasets import imagefolder, tiny_imagenet
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import sha256
from ilsvrc_replay.originals import manifest
from ilsvrc_replay.originals.labelled_images import LabelledFiles
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.prepare import pack_images

CLASSES = ("bar", "cross", "disc")
WNIDS = ("n01443537", "n01629819", "n01641577")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return drawn.folder_of_classes(tmp_path / "given", CLASSES)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A miniature Tiny-ImageNet of three classes, and one that somebody added."""
    for name, value in {"WNIDS": WNIDS, "TRAIN_IMAGES": 6, "TEST_IMAGES": 2}.items():
        monkeypatch.setattr(tiny_imagenet, name, value)
    return drawn.tiny_imagenet(tmp_path / "given/tiny-imagenet-200", WNIDS, ("n10148035",)).parent


def acquired(module: object, folder: Path, raw: Path) -> LabelledFiles:
    raw.mkdir(exist_ok=True)
    module.acquire(raw, folder)
    return module.read(raw, folder)


def packed(pictures: LabelledFiles, target: Path, **options: int) -> dict[str, str]:
    """Pack and return the bytes, as checksums."""
    target.mkdir(parents=True)
    pack_images.pack(pictures, "set", 32, 3, target, **options)
    pack_images.forget(target, "set")
    return {path.name: sha256(path) for path in sorted(target.iterdir())}


def test_a_folder_of_classes_is_packed_whole(folder: Path, tmp_path: Path) -> None:
    (folder / "train/bar/.DS_Store").write_text("hidden")
    (folder / "train/bar/notes.txt").write_text("no image")
    packed(acquired(imagefolder, folder, tmp_path / "raw"), tmp_path / "packed")
    result = packed_data.load(tmp_path / "packed")
    assert result.meta["images"] == {"train": 15, "val": 3, "test": 6}
    assert result.meta["images_by_class"] == {"train": [5, 5, 5], "val": [1, 1, 1], "test": [2, 2, 2]}
    assert result.meta["classes"] == list(CLASSES)
    assert result.meta["left_out"] == {"no images": 1}
    assert result.labels("test").tolist() == [0, 0, 1, 1, 2, 2]
    expected = np.asarray(drawn.Image.open(folder / "test/cross/1.jpg").resize((42, 32), 2))[:, 5:37]
    assert np.array_equal(result.images("test")[3].numpy(), expected.transpose(2, 0, 1))


def test_the_bytes_depend_neither_on_threads_nor_on_the_order_of_the_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_images, "CHUNK", 2)
    pictures = acquired(imagefolder, folder, tmp_path / "raw")
    one = packed(pictures, tmp_path / "one", threads=1)
    copy = tmp_path / "elsewhere"
    for path in reversed(sorted(path for path in folder.rglob("*.jpg"))):
        (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy / path.relative_to(folder))
    moved = acquired(imagefolder, copy, tmp_path / "raw2")
    assert packed(moved, tmp_path / "four", threads=4) == one
    assert (tmp_path / "raw" / manifest.MANIFEST).read_bytes() == (tmp_path / "raw2" / manifest.MANIFEST).read_bytes()


def test_tiny_imagenet_has_the_same_bytes_from_a_folder_and_from_its_zip(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = acquired(tiny_imagenet, tiny, tmp_path / "raw")
    assert pictures.ignored == {"of another class": 8, "without a class": 1}
    from_folder = packed(pictures, tmp_path / "packed")
    meta = packed_data.load(tmp_path / "packed").meta
    assert meta["classes"] == list(WNIDS)
    assert meta["images"] == {"train": 15, "val": 3, "test": 6}
    assert meta["converted"] == {"grey": 3}

    archive = tmp_path / "archive" / tiny_imagenet.ZIP
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(tiny.rglob("*")):
            file.write(path, path.relative_to(tiny))
        file.writestr("../../outside.JPEG", drawn.jpeg(0, 0))
    monkeypatch.setattr(tiny_imagenet, "CHECKSUMS", {tiny_imagenet.ZIP: sha256(archive)})
    assert packed(acquired(tiny_imagenet, archive.parent, tmp_path / "zipped"), tmp_path / "again") == from_folder
    assert not list(tmp_path.parent.glob("**/outside.JPEG"))


def test_a_missing_image_of_tiny_imagenet_is_noticed(tiny: Path, tmp_path: Path) -> None:
    (tiny / f"tiny-imagenet-200/train/{WNIDS[1]}/images/{WNIDS[1]}_2.JPEG").unlink()
    with pytest.raises(StudyError, match=f"{WNIDS[1]} has 5 of its 6 training images"):
        acquired(tiny_imagenet, tiny, tmp_path / "raw")


def test_another_zip_is_not_taken_for_tiny_imagenet(tmp_path: Path) -> None:
    (tmp_path / tiny_imagenet.ZIP).write_bytes(b"something")
    (tmp_path / "raw").mkdir()
    with pytest.raises(StudyError, match=r"tiny-imagenet-200.zip is damaged or not the original: its md5 differs"):
        tiny_imagenet.acquire(tmp_path / "raw", tmp_path)


def test_every_unusable_image_is_named_and_nothing_is_packed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "train/disc/3.jpg").write_bytes(drawn.jpeg(0, 0)[:-200])
    (folder / "test/bar/0.jpg").write_bytes(b"no image")
    pictures = acquired(imagefolder, folder, tmp_path / "raw")
    with pytest.raises(StudyError) as caught:
        packed(pictures, tmp_path / "packed")
    assert str(caught.value).startswith("set: test/bar/0.jpg is no image of a kind that is read, BMP, GIF, JPEG")
    said = capsys.readouterr().err
    assert "train/disc/3.jpg is damaged" in said
    assert "test/bar/0.jpg is no image" in said
    assert not (tmp_path / "packed/meta.json").exists()


def test_an_image_that_changed_since_it_was_acquired_is_noticed(folder: Path, tmp_path: Path) -> None:
    pictures = acquired(imagefolder, folder, tmp_path / "raw")
    (folder / "train/disc/3.jpg").write_bytes(drawn.jpeg(0, 50))
    with pytest.raises(StudyError, match=r"train/disc/3.jpg has changed since it was acquired: run `dvc repro --force"):
        packed(pictures, tmp_path / "packed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no test", "has neither test nor val: move a part of every class's images from train/<class> to test/<class>"),
        ("no train", "has no folder train with a folder for each class"),
        ("class only in test", "the class zebra is in test but not in train"),
        ("empty class", "train/bar holds no images"),
        ("empty test", "test/bar holds no images"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(folder: Path, change: str, message: str, tmp_path: Path) -> None:
    match change:
        case "no test":
            shutil.rmtree(folder / "test")
        case "no train":
            shutil.rmtree(folder / "train")
        case "class only in test":
            drawn.write(folder / "test/zebra/0.jpg", drawn.jpeg(0, 0))
        case "empty class":
            for path in (folder / "train/bar").iterdir():
                path.rename(path.with_suffix(".txt"))
        case "empty test":
            for path in (folder / "test").rglob("*.jpg"):
                path.unlink()
    with pytest.raises(StudyError) as caught:
        acquired(imagefolder, folder, tmp_path / "raw")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_val_is_the_test_where_there_is_no_other(tmp_path: Path) -> None:
    folder = drawn.folder_of_classes(tmp_path / "given", CLASSES, test_name="val")
    assert {name.split("/")[0] for name, _ in acquired(imagefolder, folder, tmp_path / "raw").test} == {"val"}


KILLED = """
import sys, time
from pathlib import Path
from ilsvrc_replay.originals import decoding
from ilsvrc_replay.datasets import imagefolder
from ilsvrc_replay.prepare import pack_images
square, count = decoding.square, 0
def slow(*given):
    global count
    count += 1
    if count > 9:
        print("working", flush=True)
        time.sleep(60)
    return square(*given)
decoding.square = slow
pack_images.CHUNK = 2
raw, folder, target = map(Path, sys.argv[1:])
pack_images.pack(imagefolder.read(raw, folder), "set", 32, 3, target, threads=1)
"""


def test_a_killed_packing_goes_on_where_it_was(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_images, "CHUNK", 2)
    pictures = acquired(imagefolder, folder, tmp_path / "raw")
    whole = packed(pictures, tmp_path / "never/killed")
    (tmp_path / "first").mkdir()
    command = [sys.executable, "-c", KILLED, tmp_path / "raw", folder, tmp_path / "first"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "working\n"
        os.kill(process.pid, signal.SIGKILL)
    array = np.load(tmp_path / ".set.unfinished/train_images.npy", mmap_mode="r+")
    array[0] = 0  # as if the power had gone before this was on the disk
    array.flush()
    decoded = []
    square = pack_images.decoding.square
    monkeypatch.setattr(pack_images.decoding, "square", lambda *given: (decoded.append(given[1]), square(*given))[1])
    assert packed(pictures, tmp_path / "second") == whole
    assert len(decoded) == 24 - 8 + 2  # four chunks of two were done, one of them lost its pixels
    assert not list(tmp_path.glob(".*unfinished"))
