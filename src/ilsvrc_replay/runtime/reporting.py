"""A training run's curve in MLflow, as it is drawn."""

from __future__ import annotations

from ilsvrc_replay.runtime.tracking import Tracker
from ilsvrc_replay.training.learner import Learner
from ilsvrc_replay.training.loop import Callback

METRICS = {
    "lr": "lr",
    "epoch": "epoch",
    "train_loss": "train/loss",
    "val_loss": "val/loss",
    "val_top1_err": "val/top1_err",
    "val_top5_err": "val/top5_err",
}


class Reporter(Callback):
    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def on_validation_end(self, learner: Learner) -> None:
        row = learner.curve[-1]
        self.tracker.log_metrics({name: row[key] for key, name in METRICS.items()}, step=row["step"])
