"""A run's batches, as Lightning has them."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import LightningDataModule

from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.input.world import World


class Batches(LightningDataModule):
    """Batches to train and to validate on, which lie where the net trains; a pass over the former is an epoch.

    Of several processes each gets its rows of every batch.
    """

    def __init__(self, training: TrainingBatches, validation: OrderedBatches) -> None:
        super().__init__()
        self.training, self.validation = training, validation

    @property
    def device(self) -> torch.device:
        return self.training.labels.device

    def setup(self, stage: str) -> None:
        world = World(self.trainer.global_rank, self.trainer.world_size)
        self.training.world = self.validation.world = world

    def train_dataloader(self) -> TrainingBatches:
        return self.training

    def val_dataloader(self) -> OrderedBatches:
        return self.validation

    def state_dict(self) -> dict[str, Any]:
        return {"next": self.training.next}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.training.next = state_dict["next"]
