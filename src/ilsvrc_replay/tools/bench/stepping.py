"""Images a second of a training: in the real loop, of the bare step, and of the bare step fed by any loader."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import torch

from ilsvrc_replay.runtime.checkpoint import Checkpoint
from ilsvrc_replay.runtime.progress import Progress
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.module import Batch
from ilsvrc_replay.training.optimizers import make_optimizer

WARM_UP, LEAST = 3, 3  # steps: before the clock starts at the most, and on the clock at the least
FOREVER = 10**9  # steps of an interval that no measurement comes to the end of


class Speed(NamedTuple):
    images_per_s: float
    cpu_us_per_image: float  # microseconds of this process, all its threads together

    def mean(self, other: Speed) -> Speed:
        return Speed(*((mine + its) / 2 for mine, its in zip(self, other, strict=True)))


class Clock:
    """Counts steps of `batch_size` images for `seconds` at the least, after `warm_up` steps or as many seconds of them.

    A GPU is waited for at both ends and nowhere in between.
    """

    def __init__(self, batch_size: int, seconds: float, device: torch.device, warm_up: int = WARM_UP) -> None:
        self.batch_size, self.seconds, self.device, self.warm_up = batch_size, seconds, device, warm_up
        self.born, self.started, self.cpu, self.steps = time.perf_counter(), 0.0, 0.0, 0
        self.speed: Speed | None = None

    def before_step(self) -> None:
        warm = self.steps >= self.warm_up or time.perf_counter() - self.born > self.seconds
        if not self.started and self.steps and warm:
            self.wait()
            self.started, self.cpu, self.steps = time.perf_counter(), time.process_time(), 0

    def after_step(self) -> bool:
        """Whether this was the last one; `speed` then says how fast they were."""
        self.steps += 1
        if not self.started or self.steps < LEAST or time.perf_counter() - self.started < self.seconds:
            return False
        self.wait()
        images = self.steps * self.batch_size
        cpu = (time.process_time() - self.cpu) / images * 1e6
        self.speed = Speed(images / (time.perf_counter() - self.started), cpu)
        return True

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def real_loop(job: fit.Job, seconds: float) -> Speed:
    """The training as a stage runs it, with those who watch it, without start-up and validation."""
    clock = Clock(job.module.recipe.batch_size, seconds, job.device)
    progress, checkpoint = Progress(job.record["entry"]), Checkpoint(Path())
    progress.moving, checkpoint.kept = False, math.inf  # they look at the time as in a stage, and do nothing
    loop = fit.start(replace(job, interval=FOREVER), [progress, checkpoint])
    job.data.training.interval = loop.max_steps = FOREVER
    job.module.step = 0  # or else the rate would have come to its end
    loop.take_steps(timed(job.data.training, clock))
    job.module.losses.clear()
    return clock.speed


def timed(batches: Iterable[Batch], clock: Clock) -> Iterator[Batch]:
    """As many of `batches` as `clock` wants to see the steps of; their making is part of the step."""
    source = iter(batches)
    while True:
        clock.before_step()
        yield next(source)
        if clock.after_step():
            return


def resident_batch(job: fit.Job, seconds: float) -> Speed:
    """The bare step on one batch that lies ready: what no loop around the same net can surpass."""
    batch = next(iter(job.data.training))
    return fed(job, repeat(batch), seconds)


def fed(job: fit.Job, batches: Iterable[Batch], seconds: float, warm_up: int = WARM_UP) -> Speed:
    """The bare step on `batches`, which never end."""
    clock = Clock(job.module.recipe.batch_size, seconds, job.device, warm_up)
    step = bare_steps(job, iter(batches))
    while True:
        clock.before_step()
        next(step)
        if clock.after_step():
            return clock.speed


def bare_steps(job: fit.Job, batches: Iterator[Batch]) -> Iterator[None]:
    """Forward, loss, backward and optimiser step in the job's precision, once for each batch, and nothing else."""
    module, device, precision = job.module, job.device, job.compute.precision
    net = module.net.to(device, memory_format=torch.channels_last).train()
    optimizer = make_optimizer(module.recipe, net)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    for images, labels in batches:
        optimizer.zero_grad()
        with torch.autocast(device.type, kind, enabled=precision != "fp32"):
            _, loss = module.loss(net(images), labels)
        scaler.scale(loss).backward()
        if module.recipe.clip:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), module.recipe.clip)
        scaler.step(optimizer)
        scaler.update()
        yield
