"""A run's batches, as Lightning has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pytorch_lightning import LightningDataModule

from ilsvrc_replay.input.batches import OrderedBatches, TrainingBatches
from ilsvrc_replay.input.world import World
from ilsvrc_replay.training.module import Batch


class Batches(LightningDataModule):
    """Batches to train and to validate on, which lie where the net trains; a pass over the former is an epoch.

    Of several processes each gets its rows of every batch. Where gradients accumulate, a batch comes in `parts`.
    """

    def __init__(self, training: TrainingBatches, validation: OrderedBatches, parts: int = 1) -> None:
        super().__init__()
        self.training, self.validation, self.parts = training, validation, parts

    @property
    def device(self) -> torch.device:
        return self.training.labels.device

    def setup(self, stage: str) -> None:
        world = World(self.trainer.global_rank, self.trainer.world_size)
        self.training.world = self.validation.world = world

    def train_dataloader(self) -> TrainingBatches | Parts:
        return self.training if self.parts == 1 else Parts(self.training, self.parts)

    def val_dataloader(self) -> OrderedBatches:
        return self.validation

    def state_dict(self) -> dict[str, Any]:
        return {"next": self.training.next}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.training.next = state_dict["next"]


class Parts:
    """Every one of `batches` in so many parts of equal size."""

    def __init__(self, batches: TrainingBatches, parts: int) -> None:
        self.batches, self.parts = batches, parts

    def __len__(self) -> int:
        return len(self.batches) * self.parts

    def __iter__(self) -> Iterator[Batch]:
        for images, labels in self.batches:
            yield from zip(images.chunk(self.parts), labels.chunk(self.parts), strict=True)
