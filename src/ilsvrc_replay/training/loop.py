"""The training loop: steps, a validation at the end of every interval, and those who look on in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.training.learner import Batch, Learner


class Callback:
    """Looks on while a net trains. It may end the training by an exception, and changes nothing in it."""

    def on_train_start(self, learner: Learner) -> None:
        """Before the first step of this process, which need not be the run's first."""

    def on_train_batch_start(self, learner: Learner) -> None: ...

    def on_train_batch_end(self, learner: Learner) -> None: ...

    def on_validation_start(self, learner: Learner) -> None: ...

    def on_validation_end(self, learner: Learner) -> None: ...

    def on_train_end(self, learner: Learner) -> None: ...


def train(
    learner: Learner, training: TrainingBatches, validation: OrderedBatches, callbacks: Sequence[Callback] = ()
) -> None:
    """From wherever `learner` is to its last step. Raises StudyError if the training diverges."""
    training.next = learner.step
    for callback in callbacks:
        callback.on_train_start(learner)
    while learner.step < learner.steps:
        take_steps(learner, training, callbacks)
        for callback in callbacks:
            callback.on_validation_start(learner)
        learner.validate(validation)
        for callback in callbacks:
            callback.on_validation_end(learner)
    for callback in callbacks:
        callback.on_train_end(learner)


def take_steps(learner: Learner, batches: Iterable[Batch], callbacks: Sequence[Callback]) -> None:
    """A step for each of `batches`."""
    for batch in batches:
        for callback in callbacks:
            callback.on_train_batch_start(learner)
        learner.learn(batch)
        for callback in callbacks:
            callback.on_train_batch_end(learner)
