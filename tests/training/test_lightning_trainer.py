"""Lightning's Trainer runs the project's module and batches to the weights of the project's own loop, byte by byte."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from made_recipes import schedule
from pytorch_lightning import Callback, LightningModule, Trainer
from safetensors.torch import save
from torch import nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime import checkpoint
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.lightning_trainer import OWN, check_arguments

ENGINES = ("fabric", "trainer")


def set_up(study: Study, packed: Packed, engine: str, **compute: object) -> fit.Job:
    run = resolve(study, "net")
    own = run.compute.model_dump() | {"engine": engine} | compute
    return fit.set_up(run.model_copy(update={"compute": Compute(**own)}), 0, packed)


def weights(net: nn.Module) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})


@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("alexnet", {"epochs": 0.3, "dropout": 0.5, "crop": {"kind": "pad"}}),
        ("resnet18", {"epochs": 0.2, "average": "polyak", "optimizer": "nesterov"}),
        ("googlenet", {"epochs": 0.3, "average": "ema", "clip": 0.1}),
        ("zfnet", {"epochs": 0.3, "optimizer": "rmsprop", "lr": 1e-9, "schedule": schedule("plateau", patience=1)}),
        ("zfnet", {"epochs": 4.5}),
    ],
    ids=["dropout", "norms", "heads, ema, clip", "plateau", "epochs"],
)
def test_the_trainer_and_the_loop_end_in_the_same_bytes(
    study: Callable[..., Study], packed: Packed, architecture: str, values: dict
) -> None:
    made = {}
    for engine in ENGINES:
        torch.manual_seed(len(made))  # whatever was drawn before
        job = set_up(study(architecture, **values), packed, engine)
        made[engine] = weights(fit.run(job)), job.module.curve
    assert made["trainer"] == made["fabric"]


class Hooks(Callback):
    """Notes the hooks that come, with how far the training was."""

    def __init__(self) -> None:
        self.seen: list[tuple] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.seen.append(("setup", stage))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(("fit start", trainer.max_steps))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(("start", trainer.global_step, trainer.current_epoch))

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(("epoch start", trainer.global_step, trainer.current_epoch))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: tuple, batch_idx: int) -> None:
        self.seen.append(("batch start", trainer.global_step, batch_idx, len(batch[1])))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: object) -> None:
        norm = torch.stack([parameter.grad.norm() for parameter in pl_module.net.parameters()]).norm().item()
        self.seen.append(("step", trainer.global_step, norm))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: dict, batch: tuple, batch_idx: int
    ) -> None:
        self.seen.append(("batch end", trainer.global_step, batch_idx, outputs["loss"].item()))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(("validation", trainer.global_step, pl_module.training, trainer.validating))

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: tuple, batch_idx: int
    ) -> None:
        self.seen.append(("validated", batch_idx))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self.seen.append(("validation end", metrics, pl_module.curve[-1]["step"]))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(("epoch end", trainer.global_step, trainer.current_epoch))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen.append(("end", trainer.global_step, trainer.is_global_zero, trainer.world_size))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.seen.append(("teardown", stage))


def test_hooks_come_in_the_same_order_and_read_the_same(study: Callable[..., Study], packed: Packed) -> None:
    seen = {}
    for engine in ENGINES:
        hooks = Hooks()
        fit.run(set_up(study("zfnet", epochs=1.2), packed, engine), [hooks])
        seen[engine] = hooks.seen
    assert len(seen["fabric"]) > 100
    assert seen["trainer"] == seen["fabric"]


def test_what_the_loop_has_not_is_named(study: Callable[..., Study], packed: Packed) -> None:
    class Asks(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            trainer.fit_loop.max_epochs += 1

    with pytest.raises(StudyError, match=r"a callback reads trainer\.fit_loop, .*: set compute\.engine to trainer"):
        fit.run(set_up(study("zfnet", epochs=0.3), packed, "fabric"), [Asks()])


def test_accumulated_gradients_are_those_of_the_whole_batch(study: Callable[..., Study], packed: Packed) -> None:
    wanted, made = (
        set_up(study("zfnet", epochs=0.3, clip=1.0), packed, "trainer", trainer=arguments)
        for arguments in ({}, {"accumulate_grad_batches": 4})
    )
    nets = [fit.run(job) for job in (wanted, made)]
    assert [row["step"] for row in made.module.curve] == [row["step"] for row in wanted.module.curve]
    for row, other in zip(made.module.curve, wanted.module.curve, strict=True):
        assert row["val_loss"] == pytest.approx(other["val_loss"], abs=1e-3)
    assert weights(nets[0]) != weights(nets[1]), "sums round otherwise"
    with pytest.raises(
        StudyError, match=r"accumulate_grad_batches is 3: entries\.net\.batch_size, 32, is not divisible"
    ):
        set_up(study("zfnet"), packed, "trainer", trainer={"accumulate_grad_batches": 3})


class Killed(BaseException):
    """What no code catches, as a SIGKILL."""


class KillAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        if trainer.global_step == self.step:
            raise Killed


@pytest.mark.parametrize("epochs", [5.0, 4.4])
def test_a_killed_training_goes_on_after_the_last_whole_epoch(
    study: Callable[..., Study], packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: float
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    wanted = study("zfnet", epochs=epochs, average="ema", lr=0.001)

    def train(*callbacks: Callback) -> tuple[bytes, list]:
        job = set_up(wanted, packed, "trainer")
        with checkpoint.claimed("net-0", "mark", "trainer") as kept:
            net = fit.run(job, [*callbacks, kept], kept.load())
        return weights(net), job.module.curve

    whole = train()
    for step in (34 + 2, 2 * 34 + 5):
        with pytest.raises(Killed):
            train(KillAt(step))
    hooks = Hooks()
    assert train(hooks) == whole
    assert next(seen[1] for seen in hooks.seen if seen[0] == "batch start") == 2 * 34


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"max_steps": 3}, r"compute\.trainer\.max_steps is not to be set: it follows from the entry's epochs"),
        ({"devices": 2}, r"compute\.trainer\.devices is not to be set: it follows from compute\.devices"),
        ({"accumulate_grad_batches": 0}, r"compute\.trainer\.accumulate_grad_batches is 0, not a whole number from 1"),
        ({"accumulate_grad_batches": None}, r"accumulate_grad_batches is None, not a whole number from 1 up"),
        ({"accumulate_grad_batches": "2"}, r"accumulate_grad_batches is '2', not a whole number from 1 up"),
        ({"accumulate_grad_batches": True}, r"accumulate_grad_batches is True, not a whole number from 1 up"),
        ({"acumulate_grad_batches": 2}, r"acumulate_grad_batches is no argument of Lightning's Trainer; accumulate"),
    ],
)
def test_arguments_that_are_not_the_users_are_refused(arguments: dict, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        check_arguments(arguments)
    check_arguments({"accumulate_grad_batches": 2, "profiler": "simple", "detect_anomaly": True})
    assert OWN.keys() <= inspect.signature(Trainer).parameters.keys()


def test_a_value_that_the_trainer_refuses_is_named(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"compute\.trainer: .*profiler"):
        fit.run(set_up(study("zfnet"), packed, "trainer", trainer={"profiler": "nothing"}))


@pytest.mark.parametrize("values", [{"trainer": {"profiler": "simple"}}, {"strategy": "fsdp"}])
def test_what_is_the_trainers_is_refused_without_it(values: dict) -> None:
    with pytest.raises(ValueError, match=r"is for Lightning's Trainer: set compute\.engine to trainer"):
        Compute(**values)


def test_the_record_says_which_engine_trained(study: Callable[..., Study], packed: Packed) -> None:
    for engine in ENGINES:
        assert set_up(study("zfnet"), packed, engine).record["compute"]["engine"] == engine


def test_averaged_weights_are_not_sharded(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"entries\.net\.average is ema, not possible with fsdp: use ddp"):
        set_up(study("zfnet", average="ema"), packed, "trainer", strategy="fsdp")
