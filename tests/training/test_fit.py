"""Training really trains, the same way every time, and never hides a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import sha256
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit, outputs


def train(study: Study, packed: Packed, seed: int = 0) -> tuple[nn.Module, fit.Job]:
    job = fit.set_up(resolve(study, "net"), seed, packed)
    return fit.run(job), job


def test_a_net_learns_and_its_curve_tells(study: Callable[..., Study], packed: Packed) -> None:
    _, job = train(study("zfnet", epochs=3.0, lr=0.001), packed)
    curve = job.module.curve
    assert len(curve) == fit.CHECKS
    assert curve[-1]["step"] == job.module.steps == pytest.approx(3 * 1100 / 32, abs=4)
    assert curve[-1]["lr"] == 0
    assert curve[-1]["val_top1_err"] < 20 < curve[0]["val_top1_err"]
    assert curve[-1]["train_loss"] < curve[0]["train_loss"]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    study: Callable[..., Study], packed: Packed, tmp_path: Path
) -> None:
    made = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(len(made))  # whatever was drawn before
        net, job = train(study("googlenet", epochs=0.3, dropout=0.5), packed, seed)
        outputs.write(tmp_path / name, net, job.module.curve, job.record)
        made[name] = [sha256(path) for path in sorted((tmp_path / name).iterdir())]
    assert made["a"] == made["b"]
    assert made["a"][2] != made["c"][2]


@pytest.mark.parametrize("init", ["paper", "he", "glorot", "orthogonal"])
def test_a_seed_decides_the_initial_weights(study: Callable[..., Study], packed: Packed, init: str) -> None:
    run = resolve(study("googlenet", init=init), "net")
    first, again, other = (fit.set_up(run, seed, packed).module.net.state_dict() for seed in (0, 0, 1))
    drawn = [name for name, tensor in first.items() if tensor.ndim > 1]  # biases start as constants
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


@pytest.mark.parametrize(
    "draws", [{"flip": True}, {"crop": {"kind": "pad"}}, {"crop": {"kind": "area"}}, {"photometric": 0.4}], ids=str
)
def test_a_seed_decides_how_images_are_augmented(study: Callable[..., Study], packed: Packed, draws: dict) -> None:
    run, index = resolve(study(**draws), "net"), torch.arange(32)
    views = [fit.set_up(run, seed, packed).data.training.view for seed in (0, 0, 1)]
    first, again, other = (view(packed.images("train")[:32], index, 0) for view in views)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_batch_normalisation_and_auxiliary_classifiers_train(study: Callable[..., Study], packed: Packed) -> None:
    resnet, job = train(study("resnet50", epochs=0.2), packed)
    assert resnet.stem[0][1].num_batches_tracked == job.module.steps
    start = fit.set_up(resolve(study("googlenet", epochs=0.2), "net"), 0, packed).module.net.auxiliary1.fc2.weight
    googlenet, _ = train(study("googlenet", epochs=0.2), packed)
    assert not torch.equal(start, googlenet.auxiliary1.fc2.weight)


def test_a_diverged_training_is_an_error_not_a_result(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"not a number any more at step \d+: lower the entry's lr"):
        train(study("alexnet", lr=1e6, epochs=1.0), packed)


def test_an_entry_that_is_not_there_is_named(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"there is no entry 'nte' in params\.yaml; there are net"):
        fit.set_up(resolve(study(), "nte"), 0, packed)


def test_a_batch_larger_than_the_data_is_refused(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"entries.net.batch_size is 5000: there are 1100 images"):
        fit.set_up(resolve(study(batch_size=5000), "net"), 0, packed)


def test_the_record_names_what_made_the_weights(study: Callable[..., Study], packed: Packed, tmp_path: Path) -> None:
    net, job = train(study("zfnet", epochs=0.1, lr=0.02), packed)
    record = outputs.write(tmp_path, net, job.module.curve, job.record)
    assert record["recipe"]["lr"] == 0.02
    assert record["recipe_name"] == "modern"
    assert record["processor"].endswith(torch.backends.cpu.get_cpu_capability())
    assert record["weights_sha256"] == sha256(tmp_path / "weights.safetensors")
    assert record["data"]["sha256"] == packed.meta["sha256"]
    assert (tmp_path / "curves.csv").read_text().startswith("step,epoch,lr,train_loss,val_loss,val_top1_err")
    assert str(tmp_path) not in (tmp_path / "training.json").read_text()
