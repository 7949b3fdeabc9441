"""Train one run: from the packed data to a trained net and the record of how it came to be."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from pytorch_lightning import Callback
from torch import nn

from ilsvrc_replay.device import choose_device, enough_memory, processor
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches, resident
from ilsvrc_replay.input.views import test_view, training_view
from ilsvrc_replay.input.world import ALONE, World
from ilsvrc_replay.models import input_scale, registry
from ilsvrc_replay.models.counting import count_macs, count_parameters
from ilsvrc_replay.models.initial_weights import materialise, set_dropout
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.run import Compute, Run
from ilsvrc_replay.training import lightning_trainer, outputs
from ilsvrc_replay.training.callbacks import make_callbacks
from ilsvrc_replay.training.data import Batches
from ilsvrc_replay.training.data_parallel import has_batch_norm
from ilsvrc_replay.training.loop import Loop, Metrics
from ilsvrc_replay.training.module import Classifier
from ilsvrc_replay.training.processes import check_same_start, fabric_options

VALIDATED_AT_ONCE = 500  # images; a constant, as the losses of val round by it
CHECKS = 4  # validations in a run at the least; in a longer one, one an epoch
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}  # by Lightning's names


@dataclass(frozen=True)
class Job:
    """A run ready to start, validated after every `interval` steps. `record` says all that decides its weights, and no
    time or path."""

    module: Classifier
    data: Batches
    interval: int
    compute: Compute
    callbacks: list[Callback]  # the entry's own
    record: dict[str, Any]
    world: World = ALONE

    @property
    def device(self) -> torch.device:
        return self.data.device

    def save(self, path: Path | str) -> None:
        """Write the weights as they are now, safetensors, for an entry's `weights`."""
        outputs.write_weights(Path(path), self.module.tested)

    @property
    def summary(self) -> str:
        record, recipe = self.record, self.module.recipe
        return (
            f"{record['param_count']:,} parameters, {record['macs'] / 1e6:,.2f} M multiply-adds, compact"
            f" {record['compact']}; recipe {record['recipe_name']}, {record['steps']:,} steps of {recipe.batch_size}"
            f" images on {record['device']}" + (f", in {self.world.size} processes" if self.world.size > 1 else "")
        )


def set_up(run: Run, seed: int, packed: Packed, world: World = ALONE) -> Job:
    """Build the net and the batches of a run with its seed, or one process's share of them.

    Raises StudyError if the entry does not fit the data or the processes.
    """
    recipe, compute = run.recipe, run.compute
    device = choose_device(compute)
    if compute.precision == "fp16" and device.type == "cpu":
        raise StudyError("compute.precision is fp16, which CPUs do not train in: use bf16 or fp32")
    architecture = registry.find(run.net.architecture)
    net, factor = registry.build_net(run.net, packed.shape)
    pixels = input_scale.pixels_for(net, architecture, packed, device)
    counts = {
        "param_count": count_parameters(net),
        "macs": count_macs(net, packed.shape["image_size"], packed.shape["channels"]),
    }
    gain = input_scale.initial_gain(net, architecture, packed)
    materialise(net, architecture, recipe.init, seed, recipe.zero_residuals, recipe.norm_bias, gain)
    set_dropout(net, recipe.dropout)

    images, labels = resident(packed.images("train"), device), packed.labels("train").to(device)
    if recipe.batch_size > len(labels):
        raise StudyError(f"entries.{run.entry}.batch_size is {recipe.batch_size}: there are {len(labels)} images")
    parts = compute.trainer.get("accumulate_grad_batches", 1)
    check_world(run.entry, net, recipe.batch_size, len(packed.labels("val")), world, device)
    if recipe.batch_size % (parts * world.size) and parts > 1:
        raise StudyError(
            f"compute.trainer.accumulate_grad_batches is {parts}: entries.{run.entry}.batch_size, {recipe.batch_size},"
            f" is not divisible by it{f' times {world.size} processes' if world.size > 1 else ''}"
        )
    batches_per_epoch = len(labels) // recipe.batch_size
    intervals = max(CHECKS, math.ceil(recipe.epochs))
    interval = max(1, round(recipe.epochs * batches_per_epoch / intervals))
    steps = intervals * interval
    training = TrainingBatches(
        images,
        labels,
        batch_size=recipe.batch_size,
        interval=batches_per_epoch,
        seed=seed,
        view=training_view(recipe, pixels, packed.shape["image_size"], seed, len(labels)),
        world=world,
    )
    validation = OrderedBatches(
        resident(packed.images("val"), device),
        packed.labels("val").to(device),
        batch_size=VALIDATED_AT_ONCE,
        view=test_view(pixels, packed.shape["image_size"], recipe.test_scale),
        world=world,
    )
    if compute.strategy == "fsdp" and recipe.average != "none":
        raise StudyError(f"entries.{run.entry}.average is {recipe.average}, not possible with fsdp: use ddp")
    module = Classifier(net, recipe, steps, batches_per_epoch, seed, scaled=compute.precision == "fp16", parts=parts)
    return Job(
        module=module,
        data=Batches(training, validation, parts),
        interval=interval,
        callbacks=make_callbacks(run.callbacks),
        compute=compute,
        record={
            **run.model_dump(exclude={"testing", "weights"}),
            "seed": seed,
            "compact": factor,
            **counts,
            "steps": steps,
            "data": {"name": packed.meta["name"], "sha256": packed.meta["sha256"]},
            "normalisation": {"mean": pixels.mean.tolist(), "std": pixels.std.tolist()},
            "device": device.type,
            "processor": processor(device),
        },
        world=world,
    )


def check_world(
    entry: str, net: nn.Module, batch_size: int, val_images: int, world: World, device: torch.device
) -> None:
    """Raises StudyError if the run cannot be shared among processes."""
    if world.size > min(batch_size, val_images):
        few = f"entries.{entry}.batch_size" if batch_size < world.size else "dataset.val_images"
        raise StudyError(f"{few} is {min(batch_size, val_images)}: that cannot be shared among {world.size} processes")
    if world.size > 1 and device.type == "cpu" and has_batch_norm(net):
        raise StudyError(
            f"entries.{entry} has batch normalisation, whose statistics of the whole batch torch takes over several"
            " processes on CUDA alone: set compute.devices and compute.nodes to 1"
        )


def run(job: Job, callbacks: Sequence[Callback] = (), state: dict[str, Any] | None = None) -> nn.Module:
    """Train, from `state` on where there is one; returns the net on the CPU.

    `state` is what runtime.checkpoint keeps. Raises StudyError if the training diverges or does not fit into memory.
    """
    with enough_memory(f"entries.{job.record['entry']}.batch_size, which is {job.module.recipe.batch_size}"):
        for library in ("lightning_fabric", "pytorch_lightning"):  # advice on what `compute` has decided
            logging.getLogger(library).setLevel(logging.WARNING)
            warnings.filterwarnings("ignore", module=library)
        if job.compute.engine == "trainer":
            precision, settings = PRECISIONS[job.compute.precision], (job.interval, job.compute, job.world)
            everyone = [*job.callbacks, *callbacks]
            net = lightning_trainer.train(job.module, job.data, *settings, precision, everyone, state)
        else:
            loop = start(job, callbacks)
            if state:
                loop.restore(state)
                del state
            check_same_start(loop.global_step, job.world)
            loop.fit()
            net = job.module.tested.to(device="cpu", memory_format=torch.contiguous_format)
    if not job.module.curve:
        raise StudyError(f"entries.{job.record['entry']}.callbacks: one stopped the training before its first step")
    return net.eval()


def start(job: Job, callbacks: Sequence[Callback] = ()) -> Loop:
    """The project's loop with the job's net ready to train on its device and, of several processes, with the others."""
    torch.use_deterministic_algorithms(job.compute.deterministic)
    if job.compute.deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # or else cuBLAS refuses
    fabric = Fabric(
        accelerator=job.device.type,
        precision=PRECISIONS[job.compute.precision],
        loggers=Metrics(),
        **fabric_options(job.compute, job.world),
    )
    fabric.launch()
    return Loop(fabric, job.module, job.data, job.interval, [*job.callbacks, *callbacks])
