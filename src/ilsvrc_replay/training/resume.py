"""A killed training goes on where it was, and ends in the same bytes as one that never was.

Its state lies outside what DVC tracks, in .scratch/runs/<run>/<fingerprint>/state.ckpt. The fingerprint is a hash of
all that decides the weights, so that a state is never taken up by other parameters, data or code; a run that has ended
leaves none. Batches, augmentation and dropout depend on (seed, step) alone, so a state is what a Lightning checkpoint
holds, without the places of Lightning's loops: these say where in an epoch it is only to within a batch.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer

from ilsvrc_replay import files
from ilsvrc_replay.architectures.registry import FAMILIES
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leash import GRACE
from ilsvrc_replay.ranks import FOLLOWS
from ilsvrc_replay.scratch import locked, scratch
from ilsvrc_replay.training.module import Classifier

AT_INTERVALS, WITHIN = 10, 300  # seconds since the last state after which one is kept: between intervals, within one
SHARE = 0.01  # of the training's time that keeping may take
EVERY = "REPLAY_KEEP_SECONDS"  # an environment variable in place of both; it changes no result
PACKAGE = Path(__file__).parents[1]


def fingerprint(record: dict[str, Any], family: str) -> str:
    """A name for all that decides the weights: the run's record and the sources of the package that it runs by."""
    shared = [path for part in ("architectures", "data", "training") for path in sorted((PACKAGE / part).rglob("*"))]
    shared += [PACKAGE / f"{name}.py" for name in ("compat", "devices", "params", "ranks", "scores")]
    others = {f"{name}.py" for name in FAMILIES if name != family}
    sources = [path for path in shared if path.suffix in {".py", ".yaml"} and path.name not in others]
    content = {str(path.relative_to(PACKAGE)): files.sha256(path) for path in sources}
    return hashlib.sha256(json.dumps([record, content], sort_keys=True).encode()).hexdigest()[:32]


class Keeper(Callback):
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
        return path.read_text()

    def steps_done(self) -> int:
        """How many steps the kept state has behind it; 0 without one. A damaged state is dropped with a warning."""
        try:
            return torch.load(self.path, weights_only=True, map_location="cpu")["global_step"]
        except FileNotFoundError:
            return 0
        except Exception as error:  # whatever a damaged file makes torch or pickle say
            print(f"warning: {self.path} is damaged ({type(error).__name__}); starting anew", file=sys.stderr)
            self.path.unlink()
            return 0

    def on_save_checkpoint(self, trainer: Trainer, module: Classifier, checkpoint: dict[str, Any]) -> None:
        del checkpoint["loops"]

    def on_load_checkpoint(self, trainer: Trainer, module: Classifier, checkpoint: dict[str, Any]) -> None:
        progress = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress  # what global_step counts by
        progress.optimizer.step.total.completed = checkpoint["global_step"]

    def on_train_start(self, trainer: Trainer, module: Classifier) -> None:
        self.kept = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):  # Lightning puts back what was there before
                signal.signal(number, self.be_told)

    def on_train_batch_start(self, trainer: Trainer, module: Classifier, batch: Any, batch_idx: int) -> None:
        """Between two steps, where all that belongs to the last one is done."""
        if self.told is not None:
            self.keep(trainer)
            self.stop(trainer)
        elapsed = time.monotonic() - self.kept
        if elapsed >= max(pause(between_intervals=batch_idx == 0), self.cost / SHARE) and trainer.global_step:
            try:
                self.keep(trainer)
            except (StudyError, OSError) as error:  # a full disk ends no training that needs nothing of it yet
                print(f"warning: the state was not kept: {error}", file=sys.stderr)
                self.kept = time.monotonic()

    def on_train_end(self, trainer: Trainer, module: Classifier) -> None:
        if self.told is not None:
            self.keep(trainer)
            self.stop(trainer)

    def keep(self, trainer: Trainer) -> None:
        started = time.monotonic()
        content = io.BytesIO()  # torch says of a full disk only that its writer failed
        # Trainer.save_checkpoint would wait for the other processes, which have the same state and go on meanwhile.
        torch.save(trainer._checkpoint_connector.dump_checkpoint(weights_only=False), content)
        with files.whole_file(self.path) as partial:
            partial.write_bytes(content.getbuffer())
        self.kept = time.monotonic()
        self.cost = self.kept - started

    def be_told(self, number: int, _frame: FrameType | None) -> None:
        """Note the signal: this step is finished first. A second one ends the process at once."""
        if self.told is not None:
            raise SystemExit(128 + number)
        self.told = signal.Signals(number)

    def stop(self, trainer: Trainer) -> None:
        print(f"error: stopped after step {trainer.global_step:,}, to go on from there the next time", file=sys.stderr)
        raise SystemExit(128 + self.told)


class Follower(Keeper):
    """Reads what the training's first process keeps, and keeps nothing. Told to stop, it gives that one time to."""

    def steps_done(self) -> int:
        with suppress(Exception):  # a damaged state is the first process's to report
            return torch.load(self.path, weights_only=True, map_location="cpu")["global_step"]
        return 0

    def on_train_batch_start(self, *_: Any) -> None:
        pass

    def on_train_end(self, *_: Any) -> None:
        pass

    def be_told(self, number: int, _frame: FrameType | None) -> None:
        if FOLLOWS not in os.environ:  # else it ends with the first process
            threading.Timer(GRACE, os._exit, [128 + number]).start()


def following(run: str, name: str) -> Follower:
    return Follower(scratch("runs") / run / name)


def pause(between_intervals: bool) -> float:
    return float(os.environ.get(EVERY) or (AT_INTERVALS if between_intervals else WITHIN))


@contextmanager
def claimed(run: str, name: str) -> Iterator[Keeper]:
    """A Keeper for the run with the fingerprint `name` while the block lasts; what it kept goes if the block ends well.

    States of the same run with another fingerprint are removed, unless a process is training by them. Raises StudyError
    if another process is training this very run.
    """
    folder = scratch("runs") / run
    refusal = f"{run} is being trained by another process: wait for it, or stop it"
    with locked(folder / "lock"):
        for other in [path for path in folder.iterdir() if path.is_dir() and path.name != name]:
            remove(other)
        holding = locked(folder / name / "lock", refusal)
        holding.__enter__()
    try:
        yield Keeper(folder / name)
        shutil.rmtree(folder / name)
    finally:
        holding.__exit__(None, None, None)


def remove(folder: Path) -> None:
    """Remove a state that no process is training by."""
    try:
        with locked(folder / "lock", "in use"):
            shutil.rmtree(folder)
    except StudyError:
        pass
