"""A seed's own split of the training images into train and val."""

from __future__ import annotations

from pathlib import Path

import drawn
import numpy as np
import pytest
import torch

from ilsvrc_replay.datasets import imagefolder
from ilsvrc_replay.files import sha256
from ilsvrc_replay.packed import shards
from ilsvrc_replay.packed.packed_data import Packed, load
from ilsvrc_replay.prepare import pack_images


@pytest.fixture(params=["array", "jpeg"])
def pictures(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packed:
    """Three classes of 20 training images that all differ, 12 of them held out."""
    monkeypatch.setattr(pack_images, "CHUNK", 2)
    monkeypatch.setattr(shards, "SHARD", 8)
    folder, raw, target = tmp_path / "given", tmp_path / "raw", tmp_path / "packed"
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        for number in range(20):
            image = drawn.Image.fromarray(rng.integers(255, size=(40, 40, 3), dtype=np.uint8))
            drawn.write(folder / f"train/{name}/{number}.png", drawn.encoded(image, "PNG"))
        drawn.write(folder / f"test/{name}/0.png", drawn.encoded(image, "PNG"))
    raw.mkdir()
    imagefolder.acquire(raw, folder)
    target.mkdir()
    pack_images.pack(imagefolder.read(raw, folder), "set", 32, 12, target, 2, storage=request.param)
    pack_images.forget(target, "set")
    return load(target)


def content(packed: Packed, *splits: str) -> list[tuple[int, bytes]]:
    """The labels and images of splits, in order of their bytes."""
    return sorted(
        (int(label), image.numpy().tobytes())
        for split in splits
        for label, image in zip(packed.labels(split), packed.images(split).to("cpu"), strict=True)
    )


def test_a_seed_draws_its_own_val_of_the_same_images(pictures: Packed) -> None:
    before = {path.name: sha256(path) for path in pictures.folder.iterdir()}
    splits = [pictures, *(pictures.redrawn(seed) for seed in range(4))]
    held_out = [set(content(split, "val")) for split in splits]
    assert len({frozenset(images) for images in held_out}) == 5
    for split, val in zip(splits, held_out, strict=True):
        assert content(split, "train", "val") == content(pictures, "train", "val")
        assert not val & set(content(split, "train"))
        assert torch.bincount(split.labels("val")).tolist() == [4, 4, 4]
        assert content(split, "test") == content(pictures, "test")
    assert content(pictures.redrawn(2), "val") == sorted(held_out[3])
    assert {path.name: sha256(path) for path in pictures.folder.iterdir()} == before


def test_an_image_is_held_out_by_its_share_of_the_seeds(pictures: Packed) -> None:
    packed_val = set(content(pictures, "val"))
    kept = [len(packed_val & set(content(pictures.redrawn(seed), "val"))) for seed in range(60)]
    assert np.mean(kept) == pytest.approx(12 * 12 / 60, abs=0.6), "as many stay as chance leaves"


def test_a_stretch_and_single_images_are_those_of_the_whole(pictures: Packed) -> None:
    images = pictures.redrawn(1).images("train")
    whole = images.to("cpu")
    assert not torch.equal(whole, pictures.images("train").to("cpu"))
    assert torch.equal(images[10:30].to("cpu"), whole[10:30])
    index = torch.tensor([40, 0, 7])
    assert torch.equal(images.index_select(0, index), whole[index])
    assert torch.equal(images[index], whole[index])


def test_the_real_digits_keep_their_classes(packed: Packed) -> None:
    split = packed.redrawn(5)
    assert torch.bincount(split.labels("val")).equal(torch.bincount(packed.labels("val")))
    assert len(split.labels("val")) == 197
    assert not split.images("val").equal(packed.images("val"))
