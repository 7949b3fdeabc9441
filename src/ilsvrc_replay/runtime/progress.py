"""Progress that a person can read: which run, how far, how fast, how good, how long still."""

from __future__ import annotations

import os
import sys
import time

from ilsvrc_replay.runtime.console import MOVING
from ilsvrc_replay.training.learner import Learner
from ilsvrc_replay.training.loop import Callback


class Progress(Callback):
    """A line for every interval; on a terminal, or in the launcher's table, also one that moves in between."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.moving = sys.stdout.isatty() or MOVING in os.environ
        self.started = self.printed = self.validating = 0.0
        self.first = 0  # step: of a run that was killed, the one that it goes on from

    def on_train_start(self, learner: Learner) -> None:
        self.started = self.printed = time.monotonic()
        self.first = learner.step
        if self.first:
            print(f"{self.run}  going on after step {self.first:,} of {learner.steps:,}", flush=True)

    def on_train_batch_end(self, learner: Learner) -> None:
        now = time.monotonic()
        if self.moving and now - self.printed > 0.5:
            self.printed = now
            print(self.line(learner), end=self.ending("\r"), flush=True)

    def on_validation_start(self, learner: Learner) -> None:
        self.validating -= time.monotonic()

    def on_validation_end(self, learner: Learner) -> None:
        self.validating += time.monotonic()
        row = learner.curve[-1]
        figures = f"loss {row['train_loss']:.3f}  val error {row['val_top1_err']:.2f} %"
        print(f"{self.line(learner)}  {figures}", end=self.ending("\n"), flush=True)

    @staticmethod
    def ending(character: str) -> str:
        return f"\033[K{character}" if sys.stdout.isatty() else character  # clears what stood there before

    def line(self, learner: Learner) -> str:
        step, elapsed = learner.step, time.monotonic() - self.started
        done = max(step - self.first, 1)
        speed = done * learner.recipe.batch_size / max(elapsed - self.validating, 1e-9)
        left = round(elapsed / done * (learner.steps - step))
        epoch, epochs = step / learner.batches_per_epoch, learner.steps / learner.batches_per_epoch
        return f"{self.run}  epoch {epoch:.2f}/{epochs:.2f}  {speed:,.0f} images/s  {left // 60}:{left % 60:02d} left"
