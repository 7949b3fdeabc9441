"""A killed training goes on where it was, and ends in the same bytes as one that never was.

Its state lies outside what DVC tracks, in .scratch/runs/<run>/<fingerprint>/state.ckpt. The fingerprint is a hash of
all that decides the weights (stage.fingerprint), so that a state is never taken up by other parameters, data or code;
a run that has ended leaves none. Batches, augmentation and dropout depend on (seed, step) alone: a state holds no place
in a stream.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError, memory_is_short
from ilsvrc_replay.input.world import FOLLOWS
from ilsvrc_replay.runtime.orphans import GRACE
from ilsvrc_replay.runtime.scratch import locked, scratch
from ilsvrc_replay.training.lightning_trainer import Trainer
from ilsvrc_replay.training.loop import Callback, Loop
from ilsvrc_replay.training.module import Classifier

AT_INTERVALS, WITHIN = 10, 300  # seconds since the last state after which one is kept: between intervals, within one
SHARE = 0.01  # of the training's time that keeping may take
EVERY = "REPLAY_KEEP_SECONDS"  # an environment variable in place of both; it changes no result
OTHERS = 3  # states of a run with other fingerprints that stay, for when their parameters or study come back


class Checkpoint(Callback):
    """Keeps the state of a training in `folder`: now and then, and at once when the process is told to stop."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.ckpt"
        self.kept, self.cost = time.monotonic(), 0.0
        self.told: signal.Signals | None = None

    @property
    def key(self) -> str:
        """A name for this training alone, however often it is killed and goes on."""
        path = self.path.with_name("key")
        if not path.exists():
            files.write_text(path, uuid.uuid4().hex)
        return path.read_text(encoding="utf-8")

    def load(self) -> dict[str, Any] | None:
        """The kept state, if there is one. A damaged one is dropped with a warning."""
        try:
            return torch.load(self.path, weights_only=True, map_location="cpu")
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a damaged file makes torch or pickle say
            if memory_is_short(error):
                raise
            print(f"warning: {self.path} is damaged ({type(error).__name__}); starting anew", file=sys.stderr)
            self.path.unlink()
            return None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM, as long as the block lasts, for a request to keep the state and end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.be_told) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_train_start(self, trainer: Loop, pl_module: Classifier) -> None:
        self.kept = time.monotonic()

    def on_train_batch_start(self, trainer: Loop, pl_module: Classifier, *_: Any) -> None:
        if self.told is not None:
            self.stop(trainer)
        elapsed = time.monotonic() - self.kept
        between_intervals = not pl_module.losses
        if elapsed >= max(pause(between_intervals), self.cost / SHARE) and trainer.global_step:
            try:
                self.keep(trainer)
            except (StudyError, OSError) as error:  # a full disk ends no training that needs nothing of it yet
                print(f"warning: the state was not kept: {error}", file=sys.stderr)
                self.kept = time.monotonic()

    def on_train_end(self, trainer: Loop, pl_module: Classifier) -> None:
        if self.told is not None:
            self.stop(trainer)

    def keep(self, trainer: Loop) -> None:
        started = time.monotonic()
        content = io.BytesIO()  # torch says of a full disk only that its writer failed
        torch.save(trainer.dump_checkpoint(), content)
        with files.whole_file(self.path) as partial:
            partial.write_bytes(content.getbuffer())
        self.kept = time.monotonic()
        self.cost = self.kept - started

    def be_told(self, number: int, _frame: FrameType | None) -> None:
        """Note the signal: this step is finished first. A second one ends the process at once."""
        if self.told is not None:
            raise SystemExit(128 + number)
        self.told = signal.Signals(number)

    def stop(self, trainer: Loop) -> None:
        self.keep(trainer)
        print(f"error: stopped after step {trainer.global_step:,}, to go on from there the next time", file=sys.stderr)
        raise SystemExit(128 + self.told)


class ReadOnlyCheckpoint(Checkpoint):
    """Reads what the training's first process keeps, and keeps nothing. Told to stop, it gives that one time to."""

    def load(self) -> dict[str, Any] | None:
        with suppress(Exception):  # a damaged state is the first process's to report
            return torch.load(self.path, weights_only=True, map_location="cpu")
        return None

    def on_train_batch_start(self, trainer: Loop, pl_module: Classifier, *_: Any) -> None:
        pass

    def on_train_end(self, trainer: Loop, pl_module: Classifier) -> None:
        pass

    def be_told(self, number: int, _frame: FrameType | None) -> None:
        if FOLLOWS not in os.environ:  # else it ends with the first process
            threading.Timer(GRACE, os._exit, [128 + number]).start()


class EpochCheckpoint(Checkpoint):
    """Keeps the state at the end of every epoch: from there alone Lightning's Trainer goes on."""

    def on_train_start(self, trainer: Trainer, pl_module: Classifier) -> None:
        if threading.current_thread() is threading.main_thread():  # Lightning's own ends the process with status 0
            signal.signal(signal.SIGTERM, self.be_told)

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if self.told is not None:
            self.stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Classifier) -> None:
        trainer.save_checkpoint(self.path)

    def stop(self, trainer: Trainer) -> None:
        print("error: stopped; the next time it goes on after the last whole epoch", file=sys.stderr)
        raise SystemExit(128 + self.told)


class ReadOnlyEpochCheckpoint(EpochCheckpoint, ReadOnlyCheckpoint):
    """Of the Trainer's other processes: gives its part of the weights; the first process writes."""


def following(run: str, name: str, engine: str = "fabric") -> ReadOnlyCheckpoint:
    kind = ReadOnlyCheckpoint if engine == "fabric" else ReadOnlyEpochCheckpoint
    return kind(scratch("runs") / run / name)


def pause(between_intervals: bool) -> float:
    return float(os.environ.get(EVERY) or (AT_INTERVALS if between_intervals else WITHIN))


@contextmanager
def claimed(run: str, name: str, engine: str = "fabric") -> Iterator[Checkpoint]:
    """A Checkpoint of the run with the fingerprint `name` while the block lasts, removed if the block ends well.

    Of the same run's states with other fingerprints the latest OTHERS stay, and those that a process is training by.
    Raises StudyError if another process is training this very run.
    """
    folder = scratch("runs") / run
    refusal = f"{run} is being trained by another process: wait for it, or stop it"
    with ExitStack() as held:
        with locked(folder / "lock"):
            others = [path for path in folder.iterdir() if path.is_dir() and path.name != name]
            for other in sorted(others, key=lambda path: path.stat().st_mtime)[:-OTHERS]:
                remove(other)
            held.enter_context(locked(folder / name / "lock", refusal))
        yield (Checkpoint if engine == "fabric" else EpochCheckpoint)(folder / name)
        shutil.rmtree(folder / name)


def remove(folder: Path) -> None:
    """Remove a state that no process is training by."""
    try:
        with locked(folder / "lock", "in use"):
            shutil.rmtree(folder)
    except StudyError:
        pass
