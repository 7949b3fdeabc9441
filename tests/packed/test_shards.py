"""Images as shards of JPEGs: the same bytes however they are packed, and the same batches as from an array."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import drawn
import numpy as np
import pytest
import torch
from made_recipes import crop
from PIL import Image
from torch import Tensor

from ilsvrc_replay.datasets import imagefolder
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import sha256
from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.input.views import cropped
from ilsvrc_replay.originals.labelled_images import LabelledFiles
from ilsvrc_replay.packed import packed_data, shards
from ilsvrc_replay.prepare import baseline, pack_arrays, pack_images


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledFiles:
    monkeypatch.setattr(pack_images, "CHUNK", 2)
    monkeypatch.setattr(shards, "SHARD", 4)
    folder, raw = drawn.folder_of_classes(tmp_path / "given", ("bar", "cross", "disc")), tmp_path / "raw"
    raw.mkdir()
    imagefolder.acquire(raw, folder)
    return imagefolder.read(raw, folder)


def pack(pictures: LabelledFiles, target: Path, storage: str = "jpeg", threads: int = 2) -> packed_data.Packed:
    target.mkdir(parents=True)
    pack_images.pack(pictures, "set", 32, 3, target, threads, stored_size=40, storage=storage)
    pack_images.forget(target, "set")
    return packed_data.load(target)


def sums(packed: packed_data.Packed) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(packed.folder.iterdir())}


def test_shards_hold_what_pillow_reads_of_the_arrays_images(pictures: LabelledFiles, tmp_path: Path) -> None:
    packed, arrays = pack(pictures, tmp_path / "a/jpegs"), pack(pictures, tmp_path / "b/arrays", "array")
    assert len(list(packed.folder.glob("train_images-*.jpegs"))) == 4  # of 15 images
    assert packed.shape == arrays.shape == {"image_size": 32, "channels": 3, "classes": 3}
    assert packed.labels("train").equal(arrays.labels("train"))
    numbers = torch.tensor([14, 0, 5, 5])
    expected = []
    for image in arrays.images("train")[numbers]:
        content = BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(content, "JPEG", quality=90, subsampling="4:2:0")
        expected.append(np.asarray(Image.open(content)).transpose(2, 0, 1))
    assert np.array_equal(packed.images("train")[numbers].numpy(), np.stack(expected))
    assert packed.images("test").shape == arrays.images("test").shape == (6, 3, 40, 40)
    whole = packed.images("train").to("cpu").numpy()
    assert {key: packed.meta[key] for key in ("mean", "pca_values")} == {
        key: pack_arrays.pixel_statistics(whole)[key] for key in ("mean", "pca_values")
    }
    assert baseline.measure(packed)["images"] == 6


def test_a_packing_that_broke_off_goes_on_and_gives_the_same_bytes(
    pictures: LabelledFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, square, decoded = (
        sums(pack(pictures, tmp_path / "never/broken", threads=4)),
        pack_images.decoding.square,
        [],
    )

    def breaking(*given: object) -> object:
        decoded.append(given)
        if len(decoded) == 10:
            raise KeyboardInterrupt
        return square(*given)

    monkeypatch.setattr(pack_images.decoding, "square", breaking)
    with pytest.raises(KeyboardInterrupt):
        pack(pictures, tmp_path / "first", threads=1)
    (tmp_path / ".set.unfinished/train/00000002.jpegs").write_bytes(b"cut by a power failure")
    assert sums(pack(pictures, tmp_path / "second", threads=1)) == whole
    assert len(decoded) == 10 + 24 - 8 + 2  # four chunks of two were done, one of them was lost
    assert not list(tmp_path.glob(".*unfinished"))


def test_batches_are_those_of_an_array_wherever_a_run_goes_on(pictures: LabelledFiles, tmp_path: Path) -> None:
    packed = pack(pictures, tmp_path / "packed")
    labels = packed.labels("train")

    def batches(images: Tensor | shards.ShardedImages, begin: int) -> list[Tensor]:
        stream = TrainingBatches(
            images, labels, batch_size=4, interval=7, seed=3, view=lambda images, index, epoch: images + epoch
        )
        stream.next = begin
        return [batch for _ in range(2) for batch, _ in stream]

    images = packed.images("train")
    for begin in (0, 5):
        pairs = zip(batches(images, begin), batches(images.to("cpu"), begin), strict=True)
        assert all(one.equal(other) for one, other in pairs)
    ordered = OrderedBatches(images, labels, batch_size=4, view=lambda images: images)
    assert torch.cat([batch for batch, _ in ordered]).equal(images.to("cpu"))


def test_a_damaged_shard_is_named(pictures: LabelledFiles, tmp_path: Path) -> None:
    packed = pack(pictures, tmp_path / "packed")
    path = packed.folder / "train_images-00001.jpegs"
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    with pytest.raises(StudyError, match=r"train_images-00001.jpegs: image 4 is damaged .* run `dvc repro --force"):
        packed.images("train")[torch.tensor([4])]
    path.write_bytes(content[:-1])
    with pytest.raises(StudyError, match=r"train_images-00001.jpegs cannot be read \(it has not the length"):
        packed.images("train")


def test_a_crop_from_the_stored_side_takes_its_pixels_as_they_are() -> None:
    images = torch.arange(2 * 8 * 8).view(2, 1, 8, 8).to(torch.uint8)
    views = cropped(
        images, crop(kind="resize", scale=[8 / 7, 8 / 7]), 7, torch.tensor([[0, 0.9, 0, 0], [0, 0, 0.5, 0]])
    )
    assert views.equal(torch.stack([images[0, :, :7, 1:], images[1, :, 1:, :7]]))
