"""A training that was killed ends in the same bytes as one that never was, and stale states are never taken up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from made_recipes import schedule
from pytorch_lightning import Callback
from ruamel.yaml import YAML

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.runtime import checkpoint
from ilsvrc_replay.runtime.stage import fingerprint
from ilsvrc_replay.training import fit, outputs
from ilsvrc_replay.training.loop import Loop

Make = Callable[..., Study]


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """States lie here, and one is kept before every step."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(checkpoint, "AT_INTERVALS", 0)
    monkeypatch.setattr(checkpoint, "WITHIN", 0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)
    return tmp_path / ".scratch/runs/net-0"


class Killed(BaseException):
    """What no code catches, as a SIGKILL."""


class KillAt(Callback):
    """Kills the training in step number `step`, or in the validation that follows that many."""

    def __init__(self, step: int, validating: bool = False) -> None:
        self.step, self.validating = step, validating

    def on_train_batch_end(self, trainer: Loop, *_: object) -> None:
        if trainer.global_step == self.step + 1 and not self.validating:
            raise Killed

    def on_validation_start(self, trainer: Loop, *_: object) -> None:
        if trainer.global_step == self.step and self.validating:
            raise Killed


def train(study: Study, packed: Packed, folder: Path, *callbacks: Callback) -> tuple[bytes, list[dict]]:
    """What the stage does: the bytes of the weights, and the curve."""
    job = fit.set_up(resolve(study, "net"), 0, packed)
    with checkpoint.claimed("net-0", fingerprint(job.record)) as kept, kept.listening():
        net = fit.run(job, [*callbacks, kept], kept.load())
        outputs.write(folder, net, job.module.curve, job.record)
    return (folder / "weights.safetensors").read_bytes(), job.module.curve


@pytest.mark.parametrize(
    ("architecture", "options", "kills"),
    [
        ("alexnet", {"epochs": 0.3, "dropout": 0.5}, [KillAt(1), KillAt(4)]),
        ("vgg16", {"epochs": 0.3, "optimizer": "sgd", "lr": 0.01, "compact": 2}, [KillAt(3, True), KillAt(7)]),
        ("googlenet", {"epochs": 0.3, "crop": {"kind": "pad"}, "flip": True}, [KillAt(6), KillAt(9, True)]),
        ("resnet50", {"epochs": 0.2, "compact": 2}, [KillAt(2), KillAt(3), KillAt(5)]),
        ("alexnet", {"epochs": 0.3, "optimizer": "rmsprop", "average": "ema", "clip": 1.0}, [KillAt(2), KillAt(5)]),
        ("alexnet", {"epochs": 0.3, "average": "polyak"}, [KillAt(5), KillAt(9)]),
        ("alexnet", {"epochs": 0.3, "lr": 1e-9, "schedule": schedule(kind="plateau", patience=1)}, [KillAt(6, True)]),
    ],
)
def test_a_killed_training_ends_in_the_same_bytes(
    study: Make, packed: Packed, tmp_path: Path, scratch: Path, architecture: str, options: dict, kills: list
) -> None:
    wanted = study(architecture, **options)
    whole = train(wanted, packed, tmp_path / "whole")
    for kill in kills:
        with pytest.raises(Killed):
            train(wanted, packed, tmp_path / "killed", kill)
        assert list(scratch.glob("*/state.ckpt"))
    seen = Steps()
    assert train(wanted, packed, tmp_path / "killed", seen) == whole
    assert seen.first == max(kill.step - kill.validating for kill in kills), "it went on from the last whole step"
    assert not list(scratch.glob("*/")), "a run that has ended leaves no state"
    assert (tmp_path / "killed/training.json").read_bytes() == (tmp_path / "whole/training.json").read_bytes()


class Steps(Callback):
    first: int | None = None

    def on_train_batch_start(self, trainer: Loop, *_: object) -> None:
        self.first = trainer.global_step if self.first is None else self.first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_the_step_and_keeps_it(
    study: Make,
    packed: Packed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    number: signal.Signals,
) -> None:
    monkeypatch.setattr(checkpoint, "AT_INTERVALS", 1e9)
    monkeypatch.setattr(checkpoint, "WITHIN", 1e9)
    wanted = study("alexnet", epochs=0.3)
    before = signal.getsignal(number)
    whole = train(wanted, packed, tmp_path / "whole")
    with pytest.raises(SystemExit) as caught:
        train(wanted, packed, tmp_path / "told", Tell(number, 4))
    assert caught.value.code == 128 + number
    assert capsys.readouterr().err == "error: stopped after step 5, to go on from there the next time\n"
    assert signal.getsignal(number) == before
    with pytest.raises(SystemExit):  # in the last validation, too
        train(wanted, packed, tmp_path / "told", Tell(number, 12))
    assert train(wanted, packed, tmp_path / "told") == whole


class Tell(Callback):
    def __init__(self, number: signal.Signals, step: int) -> None:
        self.number, self.step = number, step

    def on_train_batch_end(self, trainer: Loop, *_: object) -> None:
        if trainer.global_step == self.step + 1:
            os.kill(os.getpid(), self.number)

    def on_validation_start(self, trainer: Loop, *_: object) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


def test_a_state_of_other_parameters_is_never_taken_up(
    study: Make, packed: Packed, tmp_path: Path, scratch: Path
) -> None:
    changed = study("alexnet", epochs=0.3, lr=0.002)
    whole = train(changed, packed, tmp_path / "whole")
    with pytest.raises(Killed):
        train(study("alexnet", epochs=0.3, lr=0.001), packed, tmp_path / "killed", KillAt(4))
    (stale,) = scratch.glob("*/")
    seen = Steps()
    assert train(changed, packed, tmp_path / "killed", seen) == whole
    assert seen.first == 0
    assert stale.exists(), "for when its parameters come back"


def test_the_fingerprint_changes_with_the_sources_that_the_stage_depends_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["pipelines/train.py"])
    decisive, inert = ("pipelines/train.py", "src/p/training/loop.py", "src/p/run.py"), "src/p/runtime/progress.py"
    for name in (*decisive, inert):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("")
    listed = ["pipelines/train.py", "src/p/training", "src/p/run.py", "data/packed"]
    YAML().dump({"stages": {"train": {"deps": listed}}}, Path("dvc.yaml"))
    first = fingerprint({"seed": 0})
    assert fingerprint({"seed": 0}) == first
    assert fingerprint({"seed": 1}) != first
    Path(inert).write_text("edited")
    assert fingerprint({"seed": 0}) == first
    seen = {first}
    for name in decisive:
        Path(name).write_text("edited")
        seen.add(fingerprint({"seed": 0}))
    assert len(seen) == 4


def test_a_damaged_state_is_dropped_with_a_warning(
    study: Make, packed: Packed, tmp_path: Path, scratch: Path, capsys: pytest.CaptureFixture
) -> None:
    wanted = study("alexnet", epochs=0.3)
    whole = train(wanted, packed, tmp_path / "whole")
    with pytest.raises(Killed):
        train(wanted, packed, tmp_path / "killed", KillAt(4))
    (state,) = scratch.glob("*/state.ckpt")
    state.write_bytes(state.read_bytes()[:-500])
    assert train(wanted, packed, tmp_path / "killed") == whole
    assert f"warning: {state} is damaged" in capsys.readouterr().err


def test_two_processes_cannot_train_the_same_run(study: Make) -> None:
    with checkpoint.claimed("net-0", "a"):
        with (
            pytest.raises(StudyError, match="net-0 is being trained by another process"),
            checkpoint.claimed("net-0", "a"),
        ):
            pass
        with checkpoint.claimed("net-0", "b"):  # an experiment with other parameters
            pass
        with pytest.raises(StudyError, match="another process"), checkpoint.claimed("net-0", "a"):
            pass


def test_a_training_goes_on_after_another_study_had_a_run_of_its_name(
    study: Make, packed: Packed, tmp_path: Path, scratch: Path
) -> None:
    long, seen = study("alexnet", epochs=0.3), Steps()
    whole = train(long, packed, tmp_path / "whole")
    with pytest.raises(Killed):
        train(long, packed, tmp_path / "killed", KillAt(6))
    with pytest.raises(Killed):
        train(study("alexnet", epochs=0.3, lr=0.002), packed, tmp_path / "other", KillAt(2))
    train(study("alexnet", epochs=0.1), packed, tmp_path / "other")
    assert train(long, packed, tmp_path / "killed", seen) == whole
    assert seen.first == 6


def test_few_states_of_other_settings_are_kept(scratch: Path) -> None:
    for number in range(6):
        with suppress(Killed), checkpoint.claimed("net-0", f"{number}"):
            os.utime(scratch / f"{number}", (number, number))
            raise Killed
    assert sorted(path.name for path in scratch.iterdir() if path.is_dir()) == ["2", "3", "4", "5"]


def test_keeping_takes_a_small_share_of_the_time(
    study: Make, packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE", 0.01)
    spent: list[float] = []
    keep = checkpoint.Checkpoint.keep

    def counted(kept: checkpoint.Checkpoint, trainer: Loop) -> None:
        keep(kept, trainer)
        spent.append(kept.cost)

    monkeypatch.setattr(checkpoint.Checkpoint, "keep", counted)
    train(study("alexnet", epochs=0.5), packed, tmp_path)
    assert spent
    assert len(spent) < 17 / 2
