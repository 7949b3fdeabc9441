from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import sha256
from ilsvrc_replay.originals.labelled_images import LabelledArrays
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.prepare import baseline, pack_arrays


def coloured(count: int = 300, side: int = 30) -> LabelledArrays:
    """Three classes of noise images of different hue."""
    rng = np.random.default_rng(1)
    labels = np.arange(count) % 3
    images = rng.integers(0, 200, (count, 3, side, side), dtype=np.uint8)
    images[np.arange(count), labels] += 50
    return LabelledArrays(images, labels, images[:60], labels[:60], ("red", "green", "blue"))


def test_packing_splits_without_loss_or_overlap(tmp_path: Path) -> None:
    original = coloured()
    meta = pack_arrays.pack(original, "coloured", 30, 60, tmp_path)
    packed = packed_data.load(tmp_path)
    assert meta["images"] == {"train": 240, "val": 60, "test": 60}
    together = torch.cat([packed.images("train"), packed.images("val")])
    assert sorted(image.numpy().tobytes() for image in together) == sorted(x.tobytes() for x in original.train_images)
    assert packed.labels("val").bincount().tolist() == [20, 20, 20]
    assert packed.shape == {"image_size": 30, "channels": 3, "classes": 3}
    assert packed.images("test").dtype == torch.uint8


def test_packing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pack_arrays.pack(coloured(), "coloured", 32, 60, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert all(sha256(tmp_path / "a" / name) == sha256(tmp_path / "b" / name) for name in files)


def test_statistics_are_those_of_the_training_pixels(tmp_path: Path) -> None:
    meta = pack_arrays.pack(coloured(), "coloured", 30, 60, tmp_path)
    pixels = np.load(tmp_path / "train_images.npy").transpose(1, 0, 2, 3).reshape(3, -1) / 255
    np.testing.assert_allclose(meta["mean"], pixels.mean(1), atol=1e-6)
    np.testing.assert_allclose(meta["std"], pixels.std(1), atol=1e-6)
    covariance = np.cov(pixels, bias=True)
    values, vectors = np.array(meta["pca_values"]), np.array(meta["pca_vectors"])
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, atol=1e-5)


def test_a_small_gap_is_a_border_and_a_large_one_a_resize() -> None:
    images = torch.full((1, 1, 28, 28), 200, dtype=torch.uint8)
    bordered = pack_arrays.frame(images, 32)
    assert bordered[0, 0, 2:30, 2:30].eq(200).all()
    assert bordered.sum() == images.sum(dtype=torch.int64)
    assert pack_arrays.frame(images, 64).eq(200).all()
    assert torch.equal(pack_arrays.frame(images, 28), images)
    assert pack_arrays.frame(images, 14).shape == (1, 1, 14, 14)


def test_too_many_val_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"dataset.val_images is 300, but there are only 300"):
        pack_arrays.pack(coloured(), "coloured", 30, 300, tmp_path)


def test_a_missing_packed_set_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="run `dvc repro prepare` first"):
        packed_data.load(tmp_path / "nothing")


def test_the_linear_classifier_beats_chance_and_says_on_how_many_images(packed: packed_data.Packed) -> None:
    floor = baseline.measure(packed)
    assert (floor["chance_top1_err"], floor["chance_top5_err"], floor["images"]) == (90.0, 50.0, 500)
    assert 3 < floor["linear_top1_err"] < 15
    assert floor["linear_top5_err"] < floor["linear_top1_err"]
    assert floor["linear_train_top1_err"] < floor["linear_val_top1_err"] < 15
