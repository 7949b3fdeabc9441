from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import drawn
import numpy as np
import pytest

from ilsvrc_replay.datasets import cifar10
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.prepare import pack_arrays

CLASSES = (b"disc", b"bar", b"cross")


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A miniature cifar-10-batches-py whose checksums are taken for the real ones."""
    folder = drawn.cifar10(tmp_path / "cifar-10-batches-py", CLASSES)
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in cifar10.CHECKSUMS}  # noqa: S324
    monkeypatch.setattr(cifar10, "CHECKSUMS", sums)
    return folder


@pytest.mark.parametrize("given", ["the batches", "their parent", "the tar.gz"])
def test_it_is_acquired_from_a_folder_and_packed(batches: Path, given: str, tmp_path: Path) -> None:
    folder, raw, packed = batches, tmp_path / "raw", tmp_path / "packed"
    raw.mkdir()
    packed.mkdir()
    if given == "their parent":
        folder = tmp_path
    if given == "the tar.gz":
        folder = tmp_path / "archives"
        folder.mkdir()
        with tarfile.open(folder / cifar10.TAR, "w:gz") as archive:
            archive.add(batches, "cifar-10-batches-py")
    assert cifar10.acquire(raw, folder) == "dataset.folder"
    original = cifar10.read(raw)
    assert original.classes == ("disc", "bar", "cross")
    first = np.asarray(drawn.drawing(0, 0, size=(32, 32)))
    assert np.array_equal(original.train_images[0], first.transpose(2, 0, 1))
    meta = pack_arrays.pack(original, "cifar10", 32, 6, packed)
    assert meta["images"] == {"train": 54, "val": 6, "test": 12}
    assert packed_data.load(packed).labels("test").tolist() == [0, 1, 2] * 4


def test_a_damaged_batch_is_named(batches: Path, tmp_path: Path) -> None:
    (batches / "data_batch_3").write_bytes(b"damaged")
    with pytest.raises(StudyError, match="data_batch_3 is damaged or not the original: its md5 differs"):
        cifar10.acquire(tmp_path, batches)


def test_a_tar_without_a_batch_is_named(batches: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / cifar10.TAR, "w:gz") as archive:
        archive.add(batches / "data_batch_1", "cifar-10-batches-py/data_batch_1")
    (tmp_path / "raw").mkdir()
    with pytest.raises(StudyError, match=r"cifar-10-python.tar.gz does not hold cifar-10-batches-py/data_batch_2"):
        cifar10.acquire(tmp_path / "raw", tmp_path)


def test_a_pickle_that_would_run_code_is_refused_before_it_does(
    batches: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (batches / "test_batch").write_bytes(drawn.harmful_pickle())
    with pytest.raises(StudyError, match="cifar10: test_batch cannot be read: it wants to call"):
        cifar10.read(batches)
    assert capsys.readouterr().out == ""


def test_a_label_out_of_range_is_named(batches: Path) -> None:
    values = {b"labels": [0, 3], b"data": np.zeros((2, 3072), np.uint8)}
    (batches / "data_batch_2").write_bytes(drawn.old_pickle(values))
    with pytest.raises(StudyError, match="the labels of data_batch_2 do not fit its images or the 3 classes"):
        cifar10.read(batches)
