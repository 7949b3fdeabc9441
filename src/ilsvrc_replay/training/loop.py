"""The training loop: steps, a validation at the end of every interval, and those who look on in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.training.learner import Batch, Learner


class Watcher:
    """Looks on while a net trains. It may end the training by an exception, and changes nothing in it."""

    def on_start(self, learner: Learner) -> None:
        """Before the first step of this process, which need not be the run's first."""

    def before_step(self, learner: Learner) -> None: ...

    def after_step(self, learner: Learner) -> None: ...

    def before_validation(self, learner: Learner) -> None: ...

    def after_validation(self, learner: Learner) -> None: ...

    def on_end(self, learner: Learner) -> None: ...


class StateKeeper(Watcher):
    """A watcher that keeps a training's state, for a later process to go on from."""

    def load(self) -> dict[str, Any] | None:
        """The kept state, if there is one."""
        raise NotImplementedError

    def listening(self) -> AbstractContextManager[None]:
        """Take a signal to end, as long as the block lasts, for a request to keep the state first."""
        raise NotImplementedError


def train(
    learner: Learner, training: TrainingBatches, validation: OrderedBatches, watchers: Sequence[Watcher] = ()
) -> None:
    """From wherever `learner` is to its last step. Raises StudyError if the training diverges."""
    training.next = learner.step
    for watcher in watchers:
        watcher.on_start(learner)
    while learner.step < learner.steps:
        take_steps(learner, training, watchers)
        for watcher in watchers:
            watcher.before_validation(learner)
        learner.validate(validation)
        for watcher in watchers:
            watcher.after_validation(learner)
    for watcher in watchers:
        watcher.on_end(learner)


def take_steps(learner: Learner, batches: Iterable[Batch], watchers: Sequence[Watcher]) -> None:
    """A step for each of `batches`."""
    for batch in batches:
        for watcher in watchers:
            watcher.before_step(learner)
        learner.learn(batch)
        for watcher in watchers:
            watcher.after_step(learner)
