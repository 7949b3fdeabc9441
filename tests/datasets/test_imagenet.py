"""A miniature of ILSVRC-2012 in every layout that people have it in."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from pathlib import Path

import drawn
import pytest
from ruamel.yaml import YAML

from ilsvrc_replay.datasets import imagenet, imagenet_val
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.files import sha256
from ilsvrc_replay.originals import devkit
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.params import Study
from ilsvrc_replay.prepare import pack_images
from ilsvrc_replay.prepare.pack import pack
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit, outputs

WNIDS = ("n01440764", "n01443537", "n01484850")


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the three archives of a miniature, whose counts and checksums are taken for the real ones."""
    folder = tmp_path / "given"
    drawn.ilsvrc(folder, WNIDS)
    for name, value in {"CLASSES": 3, "TRAIN_IMAGES": 18, "TEST_IMAGES": 9}.items():
        monkeypatch.setattr(imagenet, name, value)
    take_for_real(folder, monkeypatch)
    return folder


def take_for_real(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in imagenet.ARCHIVES}  # noqa: S324
    monkeypatch.setattr(imagenet, "ARCHIVES", sums)


def packed(folder: Path, place: Path, module: object = imagenet) -> tuple[dict[str, str], packed_data.Packed]:
    raw, target = place / "raw", place / "packed"
    raw.mkdir(parents=True)
    target.mkdir()
    module.acquire(raw, folder)
    pack_images.pack(module.read(raw, folder), "imagenet", 32, 3, target)
    return {path.name: sha256(path) for path in sorted(target.glob("*.npy"))}, packed_data.load(target)


def unpack(folder: Path, place: Path, val: str) -> Path:
    """The images of the archives as files, val flat, in folders of classes, or all as Kaggle has it."""
    truth = drawn.ilsvrc(place / "again", WNIDS)
    root = place / "unpacked" / (imagenet.KAGGLE if val == "kaggle" else "")
    with tarfile.open(folder / "ILSVRC2012_img_train.tar") as outer:
        for member in outer:
            with tarfile.open(fileobj=outer.extractfile(member)) as inner:
                inner.extractall(root / "train" / member.name.removesuffix(".tar"))  # noqa: S202 (just made here)
    with tarfile.open(folder / "ILSVRC2012_img_val.tar") as inner:
        inner.extractall(root / "val")  # noqa: S202 (just made here)
    if val == "flat":
        shutil.copyfile(folder / devkit.ARCHIVE, place / "unpacked" / devkit.ARCHIVE)
    images = sorted((root / "val").iterdir())
    if val == "kaggle":
        rows = [f"{path.stem},{wnid} 1 2 3 4 {wnid} 5 6 7 8\n" for path, wnid in zip(images, truth, strict=True)]
        drawn.write(place / "unpacked" / devkit.KAGGLE, "ImageId,PredictionString\n" + "".join(rows))
    if val == "folders":
        for path, wnid in zip(images, truth, strict=True):
            (root / "val" / wnid).mkdir(exist_ok=True)
            path.rename(root / "val" / wnid / path.name)
    return place / "unpacked"


def test_the_archives_are_packed_where_they_are(archives: Path, tmp_path: Path) -> None:
    _, result = packed(archives, tmp_path / "a")
    assert result.meta["images"] == {"train": 15, "val": 3, "test": 9}
    assert result.meta["converted"] == {"cmyk": 3, "grey": 3, "other_format": 3}
    assert result.meta["classes"] == list(WNIDS)
    # The kit's ids 1, 3, 2, 1 ... name the second, the first and the third wnid.
    assert result.labels("test").tolist() == [1, 0, 2] * 3
    assert sorted(path.name for path in (tmp_path / "a/raw").iterdir()) == ["manifest.csv"]


@pytest.mark.parametrize("val", ["flat", "kaggle"])
def test_unpacked_images_are_the_same_bytes(archives: Path, tmp_path: Path, val: str) -> None:
    folder = unpack(archives, tmp_path, val)
    assert packed(folder, tmp_path / "a")[0] == packed(archives, tmp_path / "b")[0]


def test_val_in_folders_of_classes_needs_no_kit(archives: Path, tmp_path: Path) -> None:
    _, result = packed(unpack(archives, tmp_path, "folders"), tmp_path / "a")
    assert result.labels("test").tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_the_validation_images_alone_can_be_packed(archives: Path, tmp_path: Path) -> None:
    (archives / "ILSVRC2012_img_train.tar").unlink()
    sums, result = packed(archives, tmp_path / "a", imagenet_val)
    assert result.meta["images"] == {"train": 0, "val": 0, "test": 9}
    assert result.meta["statistics_of"] == "test"
    assert result.labels("test").tolist() == [1, 0, 2] * 3
    assert result.images("train").shape == (0, 3, 32, 32)
    assert sums["test_images.npy"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("damaged", "ILSVRC2012_img_val.tar is damaged or not the original: its md5 is"),
        ("nothing", "has neither ILSVRC2012_img_train.tar nor a folder train"),
        ("no labels", "what the images of val are is not known: put ILSVRC2012_devkit_t12.tar.gz beside them"),
        ("label out of range", "validation image 2 has the label 4, which no class has"),
        ("too few", "there are 17 of 18 training images; for a part of ImageNet use `name: imagefolder`"),
    ],
)
def test_what_is_wrong_with_the_archives_is_named(
    archives: Path, tmp_path: Path, change: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    match change:
        case "damaged":
            (archives / "ILSVRC2012_img_val.tar").write_bytes(b"damaged")
        case "nothing":
            (archives / "ILSVRC2012_img_train.tar").unlink()
        case "no labels":
            (archives / devkit.ARCHIVE).unlink()
        case "label out of range":
            (archives / devkit.ARCHIVE).write_bytes(drawn.ilsvrc_kit(WNIDS, [1, 4, 2]))
            take_for_real(archives, monkeypatch)
        case "too few":
            archives = unpack(archives, tmp_path, "flat")
            (archives / f"train/{WNIDS[0]}/{WNIDS[0]}_5.JPEG").unlink()
    with pytest.raises(StudyError) as caught:
        packed(archives, tmp_path / "a")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_says_what_it_needs() -> None:
    with pytest.raises(
        StudyError, match=r"put ILSVRC2012_img_train.tar, .* into a folder and name it in dataset.folder"
    ):
        imagenet.acquire(Path(), None)


@pytest.mark.parametrize("storage", ["array", "jpeg"])
def test_a_net_learns_and_is_tested_from_the_archives(archives: Path, tmp_path: Path, storage: str) -> None:
    content = YAML(typ="safe").load((Path(__file__).parents[2] / "pipelines/studies/miniature.yaml").read_text())
    content["dataset"] = {"name": "imagenet", "image_size": 32, "stored_size": 37, "val_images": 3, "storage": storage}
    content["dataset"]["folder"] = str(archives)
    content["entries"] = {"alexnet": {"compact": 4}}
    content["entries"]["alexnet"] |= {"batch_size": 5, "epochs": 20.0, "crop": {"kind": "resize"}, "test_scale": 8 / 7}
    content["evaluation"] |= {"protocols": ["single_crop", "ten_crop"], "ensembles": {}}
    study = Study.model_validate(content)
    raw, target, run = (tmp_path / name for name in ("raw", "packed", "run"))
    raw.mkdir()
    target.mkdir()
    study.dataset.acquire(raw)
    pack(study.dataset, raw, target)
    result = packed_data.load(target)
    job = fit.set_up(resolve(study, "alexnet"), 0, result)
    outputs.write(run, fit.run(job), job.module.curve, job.record)
    metrics = evaluate(resolve(study, "alexnet"), result, run, tmp_path / "predictions.npz")
    assert metrics["ten_crop"]["images"] == 9
    assert job.module.curve[-1]["train_loss"] < job.module.curve[0]["train_loss"]
