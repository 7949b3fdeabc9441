"""Progress that a person can read: which run, how far, how fast, how good, how long still."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ilsvrc_replay.runtime.console import MOVING
from ilsvrc_replay.training.loop import Callback, Loop
from ilsvrc_replay.training.module import Classifier


class Progress(Callback):
    """A line for every interval; on a terminal, or in the launcher's table, also one that moves in between."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.moving = sys.stdout.isatty() or MOVING in os.environ
        self.started = self.printed = self.validating = 0.0
        self.first = 0  # step: of a run that was killed, the one that it goes on from

    def on_train_start(self, trainer: Loop, pl_module: Classifier) -> None:
        self.started = self.printed = time.monotonic()
        self.first = pl_module.step
        if self.first:
            print(f"{self.run}  going on after step {self.first:,} of {pl_module.steps:,}", flush=True)

    def on_train_batch_end(self, trainer: Loop, pl_module: Classifier, *_: Any) -> None:
        now = time.monotonic()
        if self.moving and now - self.printed > 0.5:
            self.printed = now
            print(self.line(pl_module), end=self.ending("\r"), flush=True)

    def on_validation_start(self, trainer: Loop, pl_module: Classifier) -> None:
        self.validating -= time.monotonic()

    def on_validation_end(self, trainer: Loop, pl_module: Classifier) -> None:
        self.validating += time.monotonic()
        row = pl_module.curve[-1]
        figures = f"loss {row['train_loss']:.3f}  val error {row['val_top1_err']:.2f} %"
        print(f"{self.line(pl_module)}  {figures}", end=self.ending("\n"), flush=True)

    @staticmethod
    def ending(character: str) -> str:
        return f"\033[K{character}" if sys.stdout.isatty() else character  # clears what stood there before

    def line(self, module: Classifier) -> str:
        step, elapsed = module.step, time.monotonic() - self.started
        done = max(step - self.first, 1)
        speed = done * module.recipe.batch_size / max(elapsed - self.validating, 1e-9)
        left = round(elapsed / done * (module.steps - step))
        epoch, epochs = step / module.batches_per_epoch, module.steps / module.batches_per_epoch
        return f"{self.run}  epoch {epoch:.2f}/{epochs:.2f}  {speed:,.0f} images/s  {left // 60}:{left % 60:02d} left"
