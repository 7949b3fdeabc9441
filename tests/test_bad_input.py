"""Bad params, archives, data and weights: one line that names the key or the file, and nothing is changed."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import make_study
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file

from ilsvrc_replay.datasets import digits, fashion_mnist
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.files import sha256, whole_folder
from ilsvrc_replay.models import registry
from ilsvrc_replay.models.initial_weights import materialise
from ilsvrc_replay.originals import fetch
from ilsvrc_replay.originals.labelled_images import LabelledArrays
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.params import load_study
from ilsvrc_replay.prepare import pack_arrays
from ilsvrc_replay.recipes.check import check, check_libraries
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit

STUDY = Path(__file__).parents[1] / "pipelines/studies/miniature.yaml"


def refused(action: Callable[[], Any], folder: Path, *named: str) -> None:
    """Asserts that `action` raises one line that holds all of `named`, and leaves every file of `folder` as it was."""
    before = {path: sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    with pytest.raises(StudyError) as caught:
        action()
    message = str(caught.value)
    assert message.strip()
    assert "\n" not in message
    assert all(name in message for name in named), message
    assert {path: sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()} == before


PARAMS = [
    ("study", "Quick Study", "study"),
    ("study", 3, "study"),
    ("dataset", None, "dataset"),
    ("dataset.name", "mnits", "dataset.name"),
    ("dataset.image_size", 32.5, "dataset.image_size"),
    ("dataset.image_size", 100000, "dataset.image_size"),
    ("dataset.val_images", 0, "dataset.val_images"),
    ("dataset.folder", ["a"], "dataset.folder"),
    ("compute.device", "gpu", "compute.device"),
    ("compute.threads", 0, "compute.threads"),
    ("compute.threads", "2", "compute.threads"),
    ("compute.deterministic", "yes", "compute.deterministic"),
    ("compute.devices", 0, "compute.devices"),
    ("compute.nodes", "2", "compute.nodes"),
    ("compute.strategy", "fsdp", "compute.strategy"),
    ("evaluation.protocols", [], "evaluation.protocols"),
    ("evaluation.protocols", ["centre"], "evaluation.protocols.0"),
    ("evaluation.batch_size", -1, "evaluation.batch_size"),
    ("seeds", 0, "seeds"),
    ("seeds", [-1], "seeds.0"),
    ("seeds", [0, 1, 0], "seeds"),
    ("entries", {}, "entries"),
    ("entries", ["alexnet"], "entries"),
    ("entries.alexnet.architecture", "alexnett", "alexnett"),
    ("entries.alexnet.architecture", "torchvision/alexnett", "torchvision/alexnett"),
    ("entries.alexnet.architecture", "keras/alexnet", "keras"),
    ("entries.alexnet.width", 0, "entries.alexnet.width"),
    ("entries.alexnet.epochs", -2.0, "entries.alexnet.epochs"),
    ("entries.alexnet.batch_size", 1, "entries.alexnet.batch_size"),
    ("entries.alexnet.dropout", 1.0, "entries.alexnet.dropout"),
    ("entries.alexnet.momentum", True, "entries.alexnet.momentum"),
    ("entries.alexnet.lr", float("inf"), "entries.alexnet.lr"),
    ("entries.alexnet.optimizer", "adamm", "entries.alexnet.optimizer"),
    ("entries.alexnet.schedule", {"kind": "step", "at": [1.5]}, "entries.alexnet.schedule.at.0"),
]


@pytest.mark.parametrize(("key", "value", "named"), PARAMS, ids=lambda value: str(value)[:30])
def test_params(key: str, value: Any, named: str, tmp_path: Path) -> None:
    content = YAML(typ="safe", pure=True).load(STUDY.read_text())
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[last] = value
    YAML().dump(content, tmp_path / "params.yaml")

    def look() -> None:
        study = load_study(tmp_path / "params.yaml")
        check(study)
        check_libraries(study)

    refused(look, tmp_path, named)


@pytest.mark.parametrize("content", [b"", b"- a\n- b", b"a: 1\na: 2", b"\t", b"\xff\xfe\x00", b"study: {"], ids=repr)
def test_a_params_file_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    refused(lambda: load_study(tmp_path / "params.yaml"), tmp_path, "params.yaml")


ENTRIES = [
    ({"width": 0.1}, "width"),
    ({"compact": 1}, "compact"),
    ({"batch_size": 4096}, "batch_size"),
    ({"architecture": "torchvision/vit_b_16", "width": 1.0}, "32 px"),
]


@pytest.mark.parametrize(("change", "named"), ENTRIES, ids=lambda value: str(value)[:30])
def test_an_entry_that_does_not_fit_its_data(change: dict, named: str, packed: packed_data.Packed) -> None:
    study = make_study(**change)
    refused(lambda: fit.set_up(resolve(study, "net"), 0, packed), packed.folder, named)


ARCHIVES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda folder: None, "holds neither digits.csv nor digits.csv.gz"),
    "empty": (lambda folder: (folder / "digits.csv").touch(), "digits.csv is damaged"),
    "a folder": (lambda folder: (folder / "digits.csv").mkdir(), "digits.csv"),
    "another file": (lambda folder: (folder / "digits.csv").write_bytes(b"1,2,3\n"), "digits.csv is damaged"),
    "no gzip": (lambda folder: (folder / "digits.csv.gz").write_bytes(b"1,2,3\n"), "digits.csv.gz is damaged"),
    "cut gzip": (lambda folder: (folder / "digits.csv.gz").write_bytes(gzip.compress(b"1" * 999)[:-6]), "damaged"),
    "other gzip": (lambda folder: (folder / "digits.csv.gz").write_bytes(gzip.compress(b"1")), "digits.csv is damaged"),
    "bad checksum": (
        lambda folder: (folder / "digits.csv.gz").write_bytes(gzip.compress(b"1" * 999)[:-8] + b"\0" * 8),
        "digits.csv.gz is damaged",
    ),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives(kind: str, tmp_path: Path) -> None:
    damage, named = ARCHIVES[kind]
    (tmp_path / "given").mkdir()
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/before").write_text("an earlier set")
    damage(tmp_path / "given")

    def acquire() -> None:
        with whole_folder(tmp_path / "raw") as target:
            digits.acquire(target, tmp_path / "given")

    refused(acquire, tmp_path, "digits could not be acquired (dataset.folder: ", named)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "raw"], "nothing half-made stays"


def test_a_folder_that_is_none_and_a_mirror_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for source, named in [
        (fetch.from_folder(tmp_path / "nowhere"), "nowhere is not a folder"),
        (fetch.from_folder(tmp_path / "file"), "file is not a folder"),
        (fetch.from_mirror("http://127.0.0.1:9/"), "no answer"),
        (fetch.from_mirror("http://127.0.0.1:9 9/"), "no answer"),
    ]:
        refused(lambda source=source: fetch.acquire("set", {"one": "0"}, {"it": source}, tmp_path), tmp_path, named)


def idx(shape: tuple[int, ...], length: int, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + bytes(length)


IDX = {
    "missing": (None, "cannot be read"),
    "empty": (b"", "no IDX file"),
    "of floats": (idx((2, 2), 16, kind=13), "no IDX file"),
    "gzipped": (gzip.compress(idx((2, 2), 4)), "no IDX file"),
    "cut in its header": (idx((2, 2, 2), 8)[:9], "no IDX file"),
    "too short": (idx((2, 28, 28), 2 * 28 * 28 - 1), "should hold 1,568 values and holds 1,567"),
    "too long": (idx((2, 28, 28), 2 * 28 * 28 + 1), "should hold 1,568 values and holds 1,569"),
}


@pytest.mark.parametrize("kind", IDX)
def test_idx_files(kind: str, tmp_path: Path) -> None:
    content, named = IDX[kind]
    for name in fashion_mnist.CHECKSUMS:
        (tmp_path / name).write_bytes(idx((1,), 1))
    path = tmp_path / "train-images-idx3-ubyte"
    path.unlink() if content is None else path.write_bytes(content)
    refused(lambda: fashion_mnist.read(tmp_path), tmp_path, str(path), named)


@pytest.mark.parametrize("content", [b"", b"1,2\n3\n", b"1,2,3\n", b"a,b\n", b"\xff\xff"], ids=repr)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_digits(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "digits.csv").write_bytes(content)
    refused(lambda: digits.read(tmp_path), tmp_path, f"{tmp_path}/digits.csv")


def original(**change: Any) -> LabelledArrays:
    images, labels = np.zeros((20, 1, 28, 28), np.uint8), np.arange(20) % 2
    values = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    return LabelledArrays(**{**values, "classes": ("a", "b"), **change})


ORIGINALS = {
    "too few labels": ({"train_labels": np.zeros(19, np.int64)}, 4, "20 train images, but 19 labels"),
    "no test images": ({"test_images": np.zeros((0, 1, 28, 28), np.uint8)}, 4, "0 test images"),
    "a label too high": ({"test_labels": np.full(20, 2)}, 4, "test image 0 has the label 2, but there are 2 classes"),
    "a label too low": ({"train_labels": np.arange(20) % 3 - 1}, 4, "train image 0 has the label -1"),
    "floats": ({"test_images": np.zeros((20, 1, 28, 28))}, 4, "test images are float64"),
    "not square": ({"train_images": np.zeros((20, 1, 28, 30), np.uint8)}, 4, "train images are uint8 (1, 28, 30)"),
    "all held out": ({}, 20, "dataset.val_images is 20, but there are only 20"),
}


@pytest.mark.parametrize("kind", ORIGINALS)
def test_originals(kind: str, tmp_path: Path) -> None:
    change, val_images, named = ORIGINALS[kind]
    refused(lambda: pack_arrays.pack(original(**change), "set", 32, val_images, tmp_path), tmp_path, named)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


PACKED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no meta.json": (lambda folder: (folder / "meta.json").unlink(), "run `dvc repro prepare` first"),
    "half a meta.json": (lambda folder: cut(folder / "meta.json"), "meta.json is damaged"),
    "another meta.json": (lambda folder: (folder / "meta.json").write_text('{"name": "x"}'), "meta.json lacks classes"),
    "a list for meta.json": (lambda folder: (folder / "meta.json").write_text("[]"), "meta.json lacks name"),
    "no labels": (lambda folder: (folder / "train_labels.npy").unlink(), "train_labels.npy cannot be read"),
    "cut images": (lambda folder: cut(folder / "train_images.npy"), "train_images.npy cannot be read"),
    "an empty file": (lambda folder: (folder / "val_images.npy").write_bytes(b""), "val_images.npy cannot be read"),
    "labels for images": (
        lambda folder: shutil.copy(folder / "val_labels.npy", folder / "val_images.npy"),
        "val_images.npy is not what meta.json says",
    ),
    "another count": (
        lambda folder: shutil.copy(folder / "test_labels.npy", folder / "val_labels.npy"),
        "val_labels.npy is not what meta.json says",
    ),
}


@pytest.mark.parametrize("kind", PACKED)
def test_packed_sets(kind: str, packed: packed_data.Packed, tmp_path: Path) -> None:
    damage, named = PACKED[kind]
    shutil.copytree(packed.folder, tmp_path / "packed")
    damage(tmp_path / "packed")
    refused(lambda: fit.set_up(resolve(make_study(), "net"), 0, packed_data.load(tmp_path / "packed")), tmp_path, named)


def changed(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


WEIGHTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (Path.unlink, "is missing: run `dvc repro train` first"),
    "empty": (lambda path: path.write_bytes(b""), "does not hold this net's weights"),
    "cut": (cut, "does not hold this net's weights"),
    "no safetensors": (lambda path: path.write_text(json.dumps({"a": 1}) * 99), "does not hold this net's weights"),
    "a layer less": (lambda path: changed(path, dict.popitem), "does not hold this net's weights"),
    "a layer more": (lambda path: changed(path, lambda w: w.update(x=torch.ones(1))), "does not hold this net's"),
    "another width": (
        lambda path: changed(path, lambda w: w.update({name: tensor[:1].clone() for name, tensor in w.items()})),
        "does not hold this net's weights",
    ),
    "not a number": (
        lambda path: changed(path, lambda w: next(iter(w.values())).fill_(float("nan"))),
        "holds values that are no numbers",
    ),
    "too large": (
        lambda path: changed(path, lambda w: [tensor.fill_(1e30) for tensor in w.values()]),
        "the net's outputs on test are no numbers",
    ),
    "no record": (lambda path: path.with_name("training.json").unlink(), "training.json is missing"),
    "half a record": (lambda path: path.with_name("training.json").write_text('{"recipe": {'), "training.json is dam"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights(kind: str, packed: packed_data.Packed, tmp_path: Path) -> None:
    damage, named = WEIGHTS[kind]
    study, path = make_study(), tmp_path / "weights.safetensors"
    net, _ = registry.build("alexnet", width=0.125, **packed.shape)
    materialise(net, registry.find("alexnet"), "paper", 0)
    save_file(net.state_dict(), path)
    (tmp_path / "training.json").write_text('{"recipe": {"test_scale": 1.0}}')
    (tmp_path / "net-0.npz").write_bytes(b"an earlier run's")
    damage(path)
    refused(lambda: evaluate(resolve(study, "net"), packed, tmp_path, tmp_path / "net-0.npz"), tmp_path, named)
