"""The LightningModule: a net, its recipe, and the curve it draws while training."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc_replay import scores
from ilsvrc_replay.data import draws
from ilsvrc_replay.data.parts import WHOLE, Part
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Recipe
from ilsvrc_replay.training.optimizers import average_of, make_optimizer
from ilsvrc_replay.training.parting import gathered, share_layers, summed
from ilsvrc_replay.training.recipes import rate


class Classifier(LightningModule):
    """Trains `net` for `steps` steps by `recipe`; `curve` gains a row at the end of every interval of TrainingBatches.

    A net that returns a tuple while training has auxiliary classifiers: their losses count as the recipe says, or else
    `net.auxiliary_weight`. Where the recipe averages weights, `average` holds them and is what is validated.

    Of several processes each sees its `part` of a batch; all have the same weights and the same curve.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        steps: int,
        batches_per_epoch: int,
        seed: int,
        part: Part = WHOLE,
        device: torch.device | None = None,
    ) -> None:
        super().__init__()
        self.net, self.recipe, self.steps, self.seed = net, recipe, steps, seed
        self.average = average_of(net, recipe.average)
        self.batches_per_epoch, self.part = batches_per_epoch, part
        if part.count > 1:
            self.masks = torch.Generator(device or "cpu")
            self.net = share_layers(net, part, recipe.batch_size, self.masks)
        self.curve: list[dict[str, float]] = []
        self.losses: list[Tensor] = []
        self.outputs: list[tuple[Tensor, Tensor]] = []

    @property
    def tested(self) -> nn.Module:
        """The net with the weights that count: the last, or their average as soon as there is one."""
        return self.net if self.average is None or not self.average.n_averaged else self.average.module

    def configure_optimizers(self) -> dict:
        optimizer = make_optimizer(self.recipe, self.net)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, step: int) -> float:
        return rate(self.recipe.schedule, min(step / self.steps, 1), [row["val_top1_err"] for row in self.curve])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["curve"] = self.curve
        checkpoint["losses"] = torch.stack(self.losses) if self.losses else torch.empty(0)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.curve, self.losses = checkpoint["curve"], list(checkpoint["losses"])

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        key = draws.key(self.seed, self.global_step)[1]
        if self.part.count > 1:
            self.masks.manual_seed(key)  # dropout, drawn for the whole batch
            key = draws.key(self.seed, self.global_step, self.part.rank)[1]  # what else is drawn differs by process
        seed_device(key, self.device)  # dropout, whatever ran before this step

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        outputs = self.net(images)
        main, auxiliary = (outputs[0], outputs[1:]) if isinstance(outputs, tuple) else (outputs, ())
        loss = self.loss(main, labels)
        share = self.part.share(self.recipe.batch_size)
        self.losses.append(loss.detach() if self.part.count == 1 else summed(loss.detach() * share))
        for scores_ in auxiliary:
            weight = self.recipe.auxiliary_weight
            loss = loss + (self.net.auxiliary_weight if weight is None else weight) * self.loss(scores_, labels)
        return loss if self.part.count == 1 else loss * (self.part.count * share)  # DDP takes the mean of gradients

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy; with label smoothing against (1 - s) of the label and s / K of each of K classes (Rethinking
        the Inception architecture, section 7)."""
        return F.cross_entropy(outputs, labels, label_smoothing=self.recipe.label_smoothing)

    def on_train_batch_end(self, *_: object) -> None:
        polyak = self.recipe.average == "polyak"
        if self.average is not None and (not polyak or self.global_step > self.steps // 2):
            self.average.update_parameters(self.net)

    def on_validation_model_eval(self) -> None:
        self.tested.eval()

    def on_validation_model_train(self) -> None:
        self.net.train()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        with torch.autocast(self.device.type, enabled=False):  # whatever the training's precision: as the test does it
            self.outputs.append((self.tested(images), labels))

    def on_validation_epoch_end(self) -> None:
        """Add a row to the curve. Raises StudyError if the training has diverged."""
        output, labels = (torch.cat(batches) for batches in zip(*self.outputs, strict=True))
        if self.part.count > 1:
            output, labels = gathered(output), gathered(labels)
        row = {
            "step": self.global_step,
            "epoch": round(self.global_step / self.batches_per_epoch, 4),
            "lr": round(self.lr_schedulers().get_last_lr()[0], 8),
            "train_loss": round(torch.stack([loss.to(self.device) for loss in self.losses]).mean().item(), 6),
            "val_loss": round(F.cross_entropy(output, labels).item(), 6),
            "val_top1_err": scores.error(output, labels, 1),
            "val_top5_err": scores.error(output, labels, 5),
        }
        self.losses.clear()
        self.outputs.clear()
        self.curve.append(row)
        if not torch.isfinite(torch.tensor([row["train_loss"], row["val_loss"]])).all():
            raise StudyError(f"the loss is not a number any more at step {row['step']}: lower the entry's lr")


def seed_device(seed: int, device: torch.device) -> None:
    """What torch.manual_seed does for the generator of `device` alone: that one also formats a stack for every kind of
    accelerator that the machine lacks, a millisecond a call."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
