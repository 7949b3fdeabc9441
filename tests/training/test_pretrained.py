"""Published weights are tested as their publisher tests them, and nothing else is taken for them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import drawn
import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ilsvrc_replay.datasets import imagenet, imagenet_val
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.evaluation.image_files import open_originals
from ilsvrc_replay.files import read_json, sha256
from ilsvrc_replay.models import library_weights
from ilsvrc_replay.originals.labelled_images import LabelledFiles
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.params import Study
from ilsvrc_replay.prepare import pack_images
from ilsvrc_replay.recipes.check import check, check_libraries
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit, pretrained

SMALL = torchvision.models.ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1
TORCHVISION = {
    "architecture": "torchvision/shufflenet_v2_x0_5",
    "weights": f"torchvision/shufflenet_v2_x0_5:{SMALL.name}",
}
TIMM = {"architecture": "timm/test_resnet.r160_in1k", "weights": "timm/test_resnet.r160_in1k"}
IMAGES, IMAGE = 60, "ILSVRC2012_val_{:08d}"
CLOSED = "http://127.0.0.1:9/"  # nobody listens


def make_study(folder: Path | None, **entry: object) -> Study:
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "imagenet-val", "image_size": 32, "folder": str(folder)},
            "compute": {"device": "cpu", "threads": 1},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 64},
            "seeds": [0],
            "entries": {"net": {"recipe": "pretrained", **entry}},
        }
    )


def originals(study: Study, raw: Path) -> Callable[[], LabelledFiles]:
    return lambda: open_originals(study.dataset, raw)


@pytest.fixture(scope="module")
def validation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, packed_data.Packed]]:
    """Sixty images of many shapes and some of ImageNet's classes, as Kaggle has them, and what is packed of them."""
    root, place = tmp_path_factory.mktemp("given"), tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    wnids, table = timm.data.ImageNetInfo("imagenet-1k").label_names(), ["ImageId,PredictionString"]
    for number in range(len(wnids)):
        name = IMAGE.format(number)
        table.append(f"{name},{wnids[number * 7 % 1000]} 1 2 3 4")
        if number < IMAGES:
            coarse = Image.fromarray(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8))
            image = coarse.resize((230 + 11 * number % 300, 220 + 17 * number % 300), 3)
            drawn.write(root / f"val/{name}.JPEG", drawn.encoded(image.convert("L" if number % 9 == 0 else "RGB")))
    drawn.write(root / "LOC_val_solution.csv", "\n".join(table))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imagenet, "TEST_IMAGES", IMAGES)
        for name in ("raw", "packed"):
            (place / name).mkdir()
        imagenet_val.acquire(place / "raw", root)
        pictures = imagenet_val.read(place / "raw", root)
        pack_images.pack(pictures, "imagenet-val", 32, 1, place / "packed")
        yield root, place / "raw", packed_data.load(place / "packed")


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Empty caches of both libraries, and no way to the publishers."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    find = library_weights.find_in_timm
    monkeypatch.setattr(library_weights, "find_in_timm", lambda entry: replace(find(entry), address=CLOSED))
    address = SMALL.value.url
    object.__setattr__(SMALL.value, "url", CLOSED + address.rpartition("/")[2])
    yield tmp_path
    object.__setattr__(SMALL.value, "url", address)


@pytest.mark.long
@pytest.mark.parametrize("model", ["googlenet", "inception_v3"])
def test_a_port_from_tensorflow_is_taken_as_the_library_takes_it(
    model: str, validation: tuple[Path, Path, packed_data.Packed], caches: Path, tmp_path: Path
) -> None:
    """Their files hold auxiliary classifiers, and the nets turn to TensorFlow's mean and deviation."""
    (folder, raw, packed), weights = validation, torchvision.models.get_model_weights(model).IMAGENET1K_V1
    options = {"aux_logits": True, "transform_input": True, "init_weights": False}
    net, transform = torchvision.models.get_model(model, weights=None, **options), weights.transforms()
    lively(
        net,
        torch.stack([transform(Image.open(folder / "val" / f"{IMAGE.format(n)}.JPEG").convert("RGB")) for n in (1, 2)]),
    )
    address = weights.value.url
    path = put_into_torch_hub(caches, net, weights)
    try:
        study = make_study(folder, architecture=f"torchvision/{model}", weights=f"torchvision/{model}:{weights.name}")
        record = pretrained.write(tmp_path / "run", *pretrained.set_up(resolve(study, "net"), 0, packed))
        evaluate(
            resolve(study, "net"),
            packed,
            tmp_path / "run",
            tmp_path / "p.npz",
            lambda: open_originals(study.dataset, raw),
        )
        theirs = library_says(torchvision.models.get_model(model, weights=weights).eval(), transform, folder)
    finally:
        object.__setattr__(weights.value, "url", address)
    ours = torch.from_numpy(np.load(tmp_path / "p.npz")["single_crop"])
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3)
    assert record["source"]["file"] == path.name


@torch.no_grad()
def lively(net: nn.Module, images: Tensor) -> nn.Module:
    """Random weights whose batch normalisations know the images: every image gets scores of its own."""
    torch.manual_seed(0)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
    net.train()(images)
    return net.eval()


@torch.inference_mode()
def library_says(net: nn.Module, transform: Callable, folder: Path) -> Tensor:
    """Probabilities image by image, with nothing of this project."""
    opened = (Image.open(path).convert("RGB") for path in sorted((folder / "val").iterdir()))
    return torch.cat([net(transform(image)[None]).softmax(1) for image in opened])


def put_into_torch_hub(caches: Path, net: nn.Module, weights: object = SMALL) -> Path:
    """Save the net as the file of `weights`, whose address then is nobody's."""
    path = caches / "torch/checkpoints/weights.pth"
    path.parent.mkdir(parents=True)
    torch.save(net.state_dict(), path)
    named = path.with_name(f"net-{sha256(path)[:8]}.pth")
    object.__setattr__(weights.value, "url", f"{CLOSED}{named.name}")
    return path.rename(named)


def put_into_hub(caches: Path, net: nn.Module) -> Path:
    repository = caches / "hub/models--timm--test_resnet.r160_in1k"
    drawn.write(repository / "refs/main", "abc")
    path = repository / "snapshots/abc/model.safetensors"
    path.parent.mkdir(parents=True)
    save_file(net.state_dict(), path)
    return path


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_every_image_is_judged_as_by_the_librarys_own_evaluation(
    library: str, validation: tuple[Path, Path, packed_data.Packed], caches: Path, tmp_path: Path
) -> None:
    folder, raw, packed = validation
    torch.manual_seed(0)
    if library == "torchvision":
        transform, net, names = SMALL.transforms(), torchvision.models.shufflenet_v2_x0_5(), TORCHVISION
    else:
        net, names = timm.create_model("test_resnet.r160_in1k"), TIMM
        transform = timm.data.create_transform(**timm.data.resolve_model_data_config(net), is_training=False)
    some = torch.stack([transform(Image.open(path).convert("RGB")) for path in sorted(folder.glob("val/*0.JPEG"))])
    lively(net, some)
    path = put_into_torch_hub(caches, net) if library == "torchvision" else put_into_hub(caches, net)
    if library == "timm":
        names = {**names, "weights": f"{names['weights']}@{sha256(path)[:12]}"}
    study = make_study(folder, **names)
    check(study)
    run = tmp_path / "run"
    record = pretrained.write(run, *pretrained.set_up(resolve(study, "net"), 0, packed))
    metrics = evaluate(
        resolve(study, "net"), packed, run, tmp_path / "p.npz", lambda: open_originals(study.dataset, raw)
    )
    ours = torch.from_numpy(np.load(tmp_path / "p.npz")["single_crop"])
    theirs, labels = library_says(net, transform, folder), torch.arange(IMAGES) * 7
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-3)
    assert torch.equal(ours.argmax(1), theirs.argmax(1))
    assert len(ours.argmax(1).unique()) > 3  # the images differ, or the test would show nothing
    assert metrics["single_crop"]["top1_err"] == round(100 * (theirs.argmax(1) != labels).double().mean().item(), 4)
    assert record == read_json(run / "training.json")
    assert record["source"]["sha256"] == sha256(path)
    assert (record["preset"]["interpolation"], record["net"]["width"], record["compact"]) == (
        "bilinear",
        1.0,
        1,
    )
    assert record["stated"] == ({"top1_err": 39.448, "top5_err": 18.254} if library == "torchvision" else {})
    assert (run / "curves.csv").read_text().count("\n") == 1
    assert str(tmp_path) not in (run / "training.json").read_text()


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_without_a_network_it_says_so_at_once(
    library: str, validation: tuple[Path, Path, packed_data.Packed], caches: Path
) -> None:
    names = TORCHVISION if library == "torchvision" else TIMM
    start = time.monotonic()
    with pytest.raises(StudyError) as caught:
        pretrained.set_up(resolve(make_study(None, **names), "net"), 0, validation[2])
    assert time.monotonic() - start < 5
    assert f"weights {names['architecture']} are not at {caches}" in str(caught.value)
    assert f"{CLOSED}" in str(caught.value)
    assert "connect, or put the file there" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_in_the_cache_is_not_taken(
    validation: tuple[Path, Path, packed_data.Packed], caches: Path
) -> None:
    path = put_into_torch_hub(caches, torchvision.models.shufflenet_v2_x0_5())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StudyError, match=r"or damaged: its sha256 starts with .*, not with") as caught:
        pretrained.set_up(resolve(make_study(None, **TORCHVISION), "net"), 0, validation[2])
    assert str(path) in str(caught.value)


def test_weights_that_their_publisher_replaced_are_not_taken(
    validation: tuple[Path, Path, packed_data.Packed], caches: Path
) -> None:
    """The hub's cache has one revision, then another: the study names the file, or is told how to."""

    def record(weights: str) -> dict[str, Any]:
        return pretrained.set_up(resolve(make_study(None, **TIMM | {"weights": weights}), "net"), 0, validation[2])[1]

    path = put_into_hub(caches, timm.create_model("test_resnet.r160_in1k"))
    named = f"{TIMM['weights']}@{sha256(path)[:12]}"
    with pytest.raises(StudyError, match=f"name this file of theirs, weights: {named}"):
        record(TIMM["weights"])
    assert record(named)["source"]["sha256"] == sha256(path)
    shutil.rmtree(caches / "hub")
    path = put_into_hub(caches, timm.create_model("test_resnet.r160_in1k"))
    with pytest.raises(StudyError, match=f"is not the file that the study names, .* not with {named[-12:]}; delete"):
        record(named)


def test_weights_of_other_classes_are_refused(packed: packed_data.Packed) -> None:
    with pytest.raises(
        StudyError, match="know ImageNet's 1,000 classes, called by their wnids, but the data set has 10"
    ):
        pretrained.set_up(resolve(make_study(None, **TORCHVISION), "net"), 0, packed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "torchvision/resnet50:DEFAULT", "architecture": "torchvision/resnet50"}, "name them torchvision/"),
        ({"weights": "torchvision/resnet50:IMAGENET1K_V1"}, "the architecture is torchvision/shufflenet_v2_x0_5: use"),
        ({"weights": "timm/resnet50.nobody", "architecture": "timm/resnet50.nobody"}, "there is no architecture"),
        ({**TIMM, "weights": f"{TIMM['weights']}@main"}, "after the @ stand 8 or more digits of the file's sha256"),
        ({"width": 0.5}, "are of the net as it is: leave out width and compact"),
    ],
)
def test_a_wrong_name_is_told_before_anything_runs(change: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=r"^entries.net: ") as caught:
        check_libraries(make_study(None, **TORCHVISION | change))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.1}, "lr has no meaning for published weights"),
        ({"recipe": "modern"}, "weights and `recipe: pretrained` belong together"),
        ({"weights": None}, "weights and `recipe: pretrained` belong together"),
    ],
)
def test_values_that_contradict_each_other_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_study(None, **TORCHVISION | change)


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_a_file_of_weights_is_tested_on_the_packed_images(
    name: str, study: Callable[..., Study], packed: packed_data.Packed, tmp_path: Path
) -> None:
    path = tmp_path / name
    trained = study("zfnet")
    net = fit.set_up(resolve(trained, "net"), 3, packed).module.net
    if path.suffix == ".pth":
        torch.save({"state_dict": net.state_dict(), "epoch": 3}, path)
    else:
        save_file(net.state_dict(), path)
    given = study("zfnet", recipe="pretrained", weights=str(path))
    check(given)
    pretrained.write(tmp_path / "run", *pretrained.set_up(resolve(given, "net"), 0, packed))
    shutil.copytree(tmp_path / "run", tmp_path / "same")
    save_file(net.state_dict(), tmp_path / "same/weights.safetensors")
    results = [evaluate(resolve(given, "net"), packed, tmp_path / run, tmp_path / "p.npz") for run in ("run", "same")]
    assert results[0] == results[1]
    assert results[0]["single_crop"]["images"] == 500


def test_a_file_that_does_not_fit_is_named_with_the_first_tensor(
    study: Callable[..., Study], packed: packed_data.Packed, tmp_path: Path
) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"fc.weight": torch.zeros(7, 3)}, path)
    given = study("zfnet", recipe="pretrained", weights=str(path))
    with pytest.raises(StudyError, match=r"net.safetensors do not fit zfnet on this data set: .* is nothing in them"):
        pretrained.set_up(resolve(given, "net"), 0, packed)
    path.write_bytes(b"no tensors")
    with pytest.raises(StudyError, match=r"net.safetensors are damaged, or hold more than tensors"):
        pretrained.set_up(resolve(given, "net"), 0, packed)
    run = resolve(given, "net")
    path.unlink()
    with pytest.raises(StudyError, match=r"net.safetensors cannot be read: No such file"):
        pretrained.set_up(run, 0, packed)


class Harm:
    """What a pickle would run when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


NO_WEIGHTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: None, "cannot be read: No such file"),
    "a folder": (Path.mkdir, "is a folder, not a file"),
    "a pipe": (os.mkfifo, "is a named pipe, not a file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    "empty": (Path.touch, "are damaged, or hold"),
    "text": (lambda path: path.write_text("a cat\n" * 99), "are damaged, or hold more than tensors, and are not read"),
    "a list": (lambda path: torch.save([torch.ones(1)], path), "are no state dict"),
    "values": (lambda path: torch.save({"a": 1}, path), "are no state dict"),
    "numbers for names": (lambda path: torch.save({1: torch.ones(1)}, path), "are no state dict"),
    "harm": (lambda path: torch.save({"a": Harm()}, path), "are damaged, or hold more than tensors, and are not read"),
    "a net": (lambda path: torch.save(nn.Linear(1, 1), path), "are damaged, or hold more than tensors"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", NO_WEIGHTS)
def test_a_file_that_holds_no_weights_is_refused_without_advice_to_read_it_nevertheless(
    kind: str, study: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, named = NO_WEIGHTS[kind]
    path = tmp_path / "net.pth"
    make(path)
    with pytest.raises(StudyError, match=f"weights {path} {named}") as caught:
        pretrained.read(path)
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("ran").exists()
    if "read: No" in named or "not a file" in named:
        with pytest.raises(StudyError, match=f"entries.net: weights {path} {named}"):
            resolve(study("zfnet", recipe="pretrained", weights=str(path)), "net")
