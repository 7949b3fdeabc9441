"""What the package offers in Python, beside its commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer

import ilsvrc_replay
from ilsvrc_replay import StudyError, architectures, build, load_run, load_study, train
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import pretrained

NAMES = ["Job", "Study", "StudyError", "architectures", "build", "load_run", "load_study", "train"]


@pytest.fixture
def checkout(
    study: Callable[..., Study], packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """A folder with packed data; takes what its params.yaml says of the entry "net"."""
    monkeypatch.chdir(tmp_path)
    Path("data/packed").mkdir(parents=True)
    Path("data/packed/digits").symlink_to(packed.folder)

    def write(**entry: object) -> None:
        Path("params.yaml").write_text(study("zfnet", **entry).model_dump_json(exclude_unset=True))  # JSON is YAML

    return write


def test_the_names_are_these_and_all_explain_themselves() -> None:
    assert ilsvrc_replay.__all__ == NAMES
    assert set(NAMES) <= set(dir(ilsvrc_replay))
    assert [name for name in NAMES if len(getattr(ilsvrc_replay, name).__doc__ or "") < 40] == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = ilsvrc_replay.nothing


LIGHT = """
import sys, time
started, before = time.process_time(), set(sys.modules)
import ilsvrc_replay
assert time.process_time() - started < 0.05, time.process_time() - started
print(*sorted(set(sys.modules) - before))
"""


def test_importing_the_package_loads_nothing_heavy() -> None:
    said = subprocess.check_output([sys.executable, "-c", LIGHT], text=True).split()
    assert "ilsvrc_replay" in said
    assert not {"torch", "numpy", "pydantic", "pytorch_lightning", "ilsvrc_replay.tools"} & set(said)


def test_a_net_is_built_in_a_line() -> None:
    assert "alexnet" in architectures()
    net = build("resnet18", image_size=64, channels=1, classes=10, width=0.125)
    assert net(torch.zeros(2, 1, 64, 64)).shape == (2, 10)
    again, other = (build("resnet18", channels=1, classes=10, width=0.125, seed=seed) for seed in (0, 1))
    assert torch.equal(net.state_dict()["fc.weight"], again.state_dict()["fc.weight"])
    assert not torch.equal(net.state_dict()["fc.weight"], other.state_dict()["fc.weight"])
    with pytest.raises(StudyError, match="there is no architecture 'resnet81'"):
        build("resnet81")


def test_weights_that_lightning_trained_become_an_entrys(
    checkout: Callable[..., None], packed: Packed, tmp_path: Path
) -> None:
    checkout(epochs=3.0, lr=0.001)
    run = load_run("params.yaml", "net", seed=1)
    trainer = Trainer(max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(run.module, run.data)
    assert trainer.global_step == 2 * 34
    assert [row["step"] for row in run.module.curve] == [34, 68]
    assert trainer.callback_metrics["val_top1_err"] == pytest.approx(run.module.curve[-1]["val_top1_err"])
    run.save("mine.safetensors")
    checkout(recipe="pretrained", weights="mine.safetensors", protocols=["validation_images"])
    mine = resolve(load_study(), "net")
    pretrained.write(tmp_path / "run", *pretrained.set_up(mine, 0, packed))
    measured = evaluate(mine, packed.redrawn(1), tmp_path / "run", tmp_path / "predictions.npz")
    assert measured["validation_images"]["top1_err"] == pytest.approx(run.module.curve[-1]["val_top1_err"], abs=0.01)
    with pytest.raises(StudyError, match=r"entries\.net has published weights: there is nothing to train"):
        load_run("params.yaml", "net")


def test_a_run_trains_as_the_stage_does(checkout: Callable[..., None]) -> None:
    checkout(epochs=0.3)
    nets = [train(load_run("params.yaml", "net")) for _ in range(2)]
    states = [net.state_dict() for net in nets]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
