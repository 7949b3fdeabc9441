"""The project's own loop on Lightning Fabric, for its speed and for states that go on in mid-epoch to the byte.

Modules and callbacks are Lightning's; their hooks come in the order of Lightning's Trainer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import Logger
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.trainer.states import RunningStage, TrainerFn, TrainerState, TrainerStatus

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.training.data import Batches
from ilsvrc_replay.training.module import Batch, Classifier

HOOKS = [name for name in dir(Callback) if name.startswith("on_") or name in ("setup", "teardown")]


class Metrics(Logger):
    """What is logged while a net trains, the last value of each: a trainer's `callback_metrics`."""

    name, version = "metrics", None

    def __init__(self) -> None:
        self.last: dict[str, torch.Tensor] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.last |= {name: torch.tensor(value) for name, value in metrics.items()}

    def log_hyperparams(self, *_: Any, **__: Any) -> None: ...


class Loop:
    """Trains `module` on `data`, validating after every `interval` steps, and where a callback stops it; callbacks get
    it as their `trainer`.

    It has what callbacks commonly read of Lightning's, by the same names. A hook that nobody overrides costs nothing.
    """

    sanity_checking, fast_dev_run, accumulate_grad_batches, check_val_every_n_epoch = False, False, 1, None
    logger, loggers = None, ()

    def __init__(
        self, fabric: Fabric, module: Classifier, data: Batches, interval: int, callbacks: Sequence[Callback] = ()
    ) -> None:
        self.fabric, self.strategy = fabric, fabric.strategy
        self.lightning_module, self.datamodule, self.callbacks = module, data, list(callbacks)
        self.val_check_interval, self.max_steps = interval, module.steps
        self.max_epochs = math.ceil(module.steps / module.batches_per_epoch)
        self.current_epoch, self.should_stop = 0, False
        self.callback_metrics = next(logger.last for logger in fabric.loggers if isinstance(logger, Metrics))
        self.state = TrainerState(TrainerStatus.RUNNING, TrainerFn.FITTING, RunningStage.TRAINING)
        self.hooks = {name: self.overridden(name) for name in HOOKS}
        module.fabric, data.trainer = fabric, self
        data.setup("fit")
        self.call("setup", "fit")
        if self.world_size > 1:
            self.training_step = fabric.setup_module(module).training_step
        else:  # Fabric's wrapper would add a percent to short steps
            fabric.to_device(module)
            self.training_step = module.training_step
        configured = module.configure_optimizers()
        self.optimizer, self.scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
        self.optimizers, self.stepper = [self.optimizer], fabric.setup_optimizers(self.optimizer)
        self.call("on_fit_start")

    @property
    def global_step(self) -> int:
        """How many steps are done."""
        return self.lightning_module.step

    @property
    def world_size(self) -> int:
        return self.fabric.world_size

    @property
    def global_rank(self) -> int:
        return self.fabric.global_rank

    @property
    def is_global_zero(self) -> bool:
        return self.fabric.is_global_zero

    @property
    def num_training_batches(self) -> int:
        """Of an epoch."""
        return self.lightning_module.batches_per_epoch

    @property
    def num_val_batches(self) -> list[int]:
        return [len(self.datamodule.val_dataloader())]

    @property
    def validating(self) -> bool:
        return self.state.stage == RunningStage.VALIDATING

    def overridden(self, name: str) -> list[Callable[..., Any]]:
        """The callbacks' methods of that name, and the module's, that are not the empty ones of Lightning's classes."""
        module, empty = self.lightning_module, getattr(LightningModule, name, None)
        found = [
            partial(getattr(callback, name), self, module)
            for callback in self.callbacks
            if getattr(type(callback), name, None) not in (None, getattr(Callback, name))
        ]
        return found + ([getattr(module, name)] if getattr(type(module), name, None) is not empty else [])

    def call(self, name: str, *args: Any) -> None:
        """Call everyone's hook of that name. Raises StudyError if one wants of Lightning's Trainer what is not here."""
        try:
            for hook in self.hooks[name]:
                hook(*args)
        except AttributeError as error:
            if error.obj is not self:
                raise
            raise StudyError(
                f"a callback reads trainer.{error.name}, which the project's own loop has not: set compute.engine to"
                " trainer"
            ) from error

    def fit(self) -> None:
        """From wherever the module is to its last step. Raises StudyError if the training diverges."""
        try:
            self.train()
        except BaseException as error:
            self.call("on_exception", error)
            raise
        finally:
            self.lightning_module.fabric = None

    def train(self) -> None:
        module, batches = self.lightning_module, self.datamodule.train_dataloader()
        batches.next = module.step
        self.call("on_train_start")
        while module.step < self.max_steps and not self.should_stop:
            self.current_epoch, first = divmod(module.step, module.batches_per_epoch)
            self.call("on_train_epoch_start")
            self.take_steps(batches, first)
            self.call("on_train_epoch_end")
        self.call("on_train_end")
        self.call("on_fit_end")
        self.call("teardown", "fit")

    def take_steps(self, batches: Iterable[Batch], first: int = 0) -> None:
        """A step for each of `batches`, the `first` of its epoch and those after it, as long as the training lasts."""
        for batch_idx, batch in enumerate(batches, first):
            self.take_step(batch, batch_idx)
            step = self.lightning_module.step
            if step % self.val_check_interval == 0 or self.should_stop:
                self.validate()
            if step >= self.max_steps or self.should_stop:
                return

    def take_step(self, batch: Batch, batch_idx: int) -> None:
        module, call = self.lightning_module, self.call
        call("on_train_batch_start", batch, batch_idx)
        with self.fabric.autocast():
            loss = self.training_step(batch, batch_idx)
        call("on_before_backward", loss)
        self.fabric.backward(loss)
        call("on_after_backward")
        call("on_before_optimizer_step", self.optimizer)
        module.configure_gradient_clipping(self.stepper)
        module.optimizer_step(self.current_epoch, batch_idx, self.stepper)
        self.scheduler.step()
        call("on_before_zero_grad", self.optimizer)
        self.optimizer.zero_grad()  # here, not before the next one goes backward, as that needs more memory
        call("on_train_batch_end", {"loss": loss.detach()}, batch, batch_idx)

    @torch.no_grad()
    def validate(self) -> None:
        module, self.state.stage = self.lightning_module, RunningStage.VALIDATING
        module.eval()
        self.call("on_validation_start")
        self.call("on_validation_epoch_start")
        for batch_idx, batch in enumerate(self.datamodule.val_dataloader()):
            self.call("on_validation_batch_start", batch, batch_idx)
            output = module.validation_step(batch, batch_idx)
            self.call("on_validation_batch_end", output, batch, batch_idx)
        self.call("on_validation_epoch_end")
        self.call("on_validation_end")
        module.train()
        self.state.stage = RunningStage.TRAINING

    def dump_checkpoint(self) -> dict[str, Any]:
        """All that decides how the training goes on, by the names of Lightning's checkpoints; `restore` takes it."""
        checkpoint = {
            "state_dict": self.lightning_module.state_dict(),
            "optimizer_states": [self.optimizer.state_dict()],
            "lr_schedulers": [self.scheduler.state_dict()],
            "precision": self.strategy.precision.state_dict(),  # the scale of losses in fp16
            "should_stop": self.should_stop,
            "callbacks": {callback.state_key: state for callback in self.callbacks if (state := callback.state_dict())},
        }
        self.call("on_save_checkpoint", checkpoint)
        return checkpoint

    def restore(self, checkpoint: dict[str, Any]) -> None:
        self.call("on_load_checkpoint", checkpoint)
        self.lightning_module.load_state_dict(checkpoint["state_dict"])
        self.optimizer.load_state_dict(checkpoint["optimizer_states"][0])
        self.scheduler.load_state_dict(checkpoint["lr_schedulers"][0])
        self.strategy.precision.load_state_dict(checkpoint["precision"])
        self.should_stop = checkpoint["should_stop"]
        for callback in self.callbacks:
            if callback.state_key in checkpoint["callbacks"]:
                callback.load_state_dict(checkpoint["callbacks"][callback.state_key])
