"""The engine `trainer`: a run on Lightning's Trainer, with its strategies, accumulation and profilers.

Steps, schedule, order, views and masks are those of the project's own loop, and so are the weights: on one device byte
by byte. What differs is how a killed training goes on: from its last whole epoch.
"""

from __future__ import annotations

import copy
import inspect
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint as LightningCheckpoint
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input.world import World
from ilsvrc_replay.run import Compute
from ilsvrc_replay.training.data import Batches
from ilsvrc_replay.training.module import Classifier
from ilsvrc_replay.training.processes import check_same_start, environment

COMPUTE = {"accelerator": "device", "num_nodes": "nodes", "benchmark": "deterministic"}
COMPUTE |= {name: name for name in ("precision", "deterministic", "devices", "strategy")}
LENGTH = ("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time", "val_check_interval")
LENGTH += ("check_val_every_n_epoch", "num_sanity_val_steps")
OWN = {  # the Trainer's arguments that are not the user's, and what decides them
    **{name: f"it follows from compute.{key}" for name, key in COMPUTE.items()},
    **dict.fromkeys(LENGTH, "it follows from the entry's epochs"),
    **dict.fromkeys(("gradient_clip_val", "gradient_clip_algorithm"), "it follows from the entry's clip"),
    **dict.fromkeys(("limit_train_batches", "limit_val_batches", "overfit_batches"), "it follows from the data set"),
    "callbacks": "it follows from the entry's callbacks",
    **dict.fromkeys(("fast_dev_run", "limit_test_batches", "limit_predict_batches"), "the study says what is run"),
    **dict.fromkeys(("logger", "log_every_n_steps", "enable_progress_bar", "enable_model_summary"), "MLflow is told"),
    **dict.fromkeys(("enable_checkpointing", "default_root_dir", "plugins", "model_registry"), "the project sets it"),
    **dict.fromkeys(("use_distributed_sampler", "sync_batchnorm", "enable_autolog_hparams"), "the project sets it"),
    "reload_dataloaders_every_n_epochs": "the project sets it",
}


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raises StudyError if one of compute.trainer's arguments is unknown to the Trainer, or set by the project."""
    known = set(inspect.signature(Trainer).parameters) - OWN.keys()
    for name in arguments:
        if name in OWN:
            raise StudyError(f"compute.trainer.{name} is not to be set: {OWN[name]}")
        if name not in known:
            raise StudyError(
                f"compute.trainer.{name} is no argument of Lightning's Trainer; {', '.join(sorted(known))}"
            )
    parts = arguments.get("accumulate_grad_batches", 1)
    if type(parts) is not int or parts < 1:  # True is no number of parts
        raise StudyError(f"compute.trainer.accumulate_grad_batches is {parts!r}, not a whole number from 1 up")


class Gather(Callback):
    """Takes the whole state of the module, wherever its parts are, when the training ends."""

    state: Mapping[str, Tensor]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        check_same_start(pl_module.step, pl_module.world)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.state = trainer.strategy.lightning_module_state_dict()


def train(
    module: Classifier,
    data: Batches,
    interval: int,
    compute: Compute,
    world: World,
    precision: str,
    callbacks: Sequence[Callback],
    state: dict[str, Any] | None,
) -> nn.Module:
    """Train from the checkpoint `state` on, where there is one; returns the net that is tested, on the CPU; of sharded
    weights in the first process alone. Raises StudyError for arguments that the Trainer refuses."""
    net, gather = copy.deepcopy(module.net), Gather()
    epochs, rest = divmod(module.steps, module.batches_per_epoch)
    try:
        trainer = Trainer(
            **compute.trainer,
            accelerator=data.device.type,
            devices=compute.devices,
            num_nodes=compute.nodes,
            strategy=strategy(compute, world),
            precision=precision,
            deterministic=compute.deterministic,
            benchmark=not compute.deterministic,
            callbacks=[*callbacks, gather],
            max_epochs=-1 if rest else epochs,
            max_steps=module.steps if rest else -1,  # where epochs are whole it would count one more at every restart
            val_check_interval=interval * data.parts,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            logger=False,
            enable_checkpointing=any(isinstance(callback, LightningCheckpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            plugins=[environment()] if world.size > 1 else None,
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise StudyError(f"compute.trainer: {str(error).splitlines()[0]}") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.ckpt" if state else None
        if state:
            torch.save(state, path)
        trainer.fit(module, data, ckpt_path=path, weights_only=True)
    prefix = "net." if module.tested is module.net else "average.module."
    whole = {name.removeprefix(prefix): value for name, value in gather.state.items() if name.startswith(prefix)}
    net.load_state_dict(whole, strict=not world.rank)
    return net


def strategy(compute: Compute, world: World) -> Strategy | str:
    if compute.strategy == "fsdp":
        return ModelParallelStrategy(world.size, tensor_parallel_size=1, save_distributed_checkpoint=False)
    if world.size == 1:
        return "auto"
    # Buffers are equal already: statistics are taken over all processes.
    return DDPStrategy(broadcast_buffers=False, find_unused_parameters="unused" in compute.strategy)
