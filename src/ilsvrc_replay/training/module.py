"""What learns in a run, as Lightning has it: a net with its losses, optimiser, schedule and averages, by its recipe.

The project's own loop (loop.py) and Lightning's Trainer run it alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ilsvrc_replay import metrics
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input import seeding
from ilsvrc_replay.input.world import ALONE, World
from ilsvrc_replay.run import Recipe
from ilsvrc_replay.training.data_parallel import gathered, share_layers, summed
from ilsvrc_replay.training.optimizers import Average, make_optimizer
from ilsvrc_replay.training.schedule import rate

Batch = tuple[Tensor, Tensor]  # images (N, C, H, W) as the net sees them, labels (N,)


class Classifier(LightningModule):
    """Trains `net` for `steps` steps by `recipe`; `curve` gains a row at every validation.

    A net that returns a tuple while training has auxiliary classifiers: their losses count as the recipe says, or else
    `net.auxiliary_weight`. Where the recipe averages weights, `average` holds them and is what is validated.

    Of several processes each sees its rows of a batch; all have the same weights and the same curve. In fp16 losses are
    `scaled`; where gradients accumulate, a batch comes in `parts`.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        steps: int,
        batches_per_epoch: int,
        seed: int,
        scaled: bool = False,
        parts: int = 1,
    ) -> None:
        super().__init__()
        self.net, self.recipe = net, recipe
        self.steps, self.batches_per_epoch, self.seed = steps, batches_per_epoch, seed
        self.scaled, self.parts = scaled, parts
        self.average = None if recipe.average == "none" else Average(net, recipe.average)
        self.world, self.masks = ALONE, None
        self.step, self.drawn = 0, -1  # how many are done; the one that was drawn for
        self.curve: list[dict[str, float]] = []
        self.losses: list[Tensor] = []  # of the steps since the last validation
        self.seen: list[Batch] = []  # scores (N, classes) and labels of the validation under way

    @property
    def tested(self) -> nn.Module:
        """The net with the weights that count: the last, or their average as soon as there is one."""
        return self.net if self.average is None or not self.average.updates else self.average.module

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.net(images)

    def setup(self, stage: str) -> None:
        """Take this process's place among those that train together."""
        self.world = World(self.trainer.global_rank, self.trainer.world_size)
        if self.world.size > 1 and self.masks is None:
            self.masks = torch.Generator(self.trainer.strategy.root_device)
            self.net = share_layers(self.net, self.world, self.recipe.batch_size // self.parts, self.masks)
        self.to(memory_format=torch.channels_last).train()

    def configure_model(self) -> None:
        """Shard the weights over the processes, where Lightning's strategy does so."""
        if self.device_mesh is not None:
            net = self.net.to(memory_format=torch.contiguous_format)  # others cannot be sharded
            fully_shard(net, mesh=self.device_mesh["data_parallel"])

    def configure_optimizers(self) -> dict[str, Any]:
        # What is fused unscales too late for clipping.
        optimizer = make_optimizer(self.recipe, self.net, fused=not (self.scaled and self.recipe.clip))
        self.schedule = LambdaLR(optimizer, self.factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.schedule, "interval": "step"}}

    def factor(self, step: int) -> float:
        """What the recipe's learning rate is multiplied by in the step after `step` others."""
        errors = [row["val_top1_err"] for row in self.curve]
        return rate(self.recipe.schedule, min(step / self.steps, 1), errors)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let dropout draw by (seed, step) alone, whatever ran before."""
        if self.step == self.drawn:  # a further part of a batch: its draws go on
            return
        self.drawn = self.step
        key = seeding.seed_of(self.seed, self.step)
        if self.world.size > 1:
            self.masks.manual_seed(key)  # dropout, drawn for the whole batch
            key = seeding.seed_of(self.seed, self.step, self.world.rank)  # what else is drawn differs by process
        seed_device(key, self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, labels = batch
        main, loss = self.loss(self.net(images), labels)
        if self.world.size == 1:
            self.losses.append(main)
            return loss
        share = self.world.share(self.recipe.batch_size)
        self.losses.append(summed(main * share))
        return loss * (self.world.size * share)  # DDP takes the mean

    def loss(self, outputs: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The main classifier's loss, detached, and what the step descends: the sum with the auxiliary ones'.

        Cross-entropy; with label smoothing against (1 - s) of the label and s / K of each of K classes (Rethinking the
        Inception architecture, section 7).
        """
        main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
        whole = first = F.cross_entropy(main, labels, label_smoothing=self.recipe.label_smoothing)
        for scores in auxiliary:
            weight = self.recipe.auxiliary_weight
            weight = self.net.auxiliary_weight if weight is None else weight
            whole = whole + weight * F.cross_entropy(scores, labels, label_smoothing=self.recipe.label_smoothing)
        return first.detach(), whole

    def configure_gradient_clipping(self, optimizer: Optimizer, *_: Any, **__: Any) -> None:
        if not (limit := self.recipe.clip):
            return
        if self.fabric is None:
            self.clip_gradients(optimizer, gradient_clip_val=limit, gradient_clip_algorithm="norm")
        else:  # a gradient that overflows in fp16 is the scaler's to skip
            self.fabric.clip_gradients(self, optimizer, max_norm=limit, error_if_nonfinite=False)

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Optimizer, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        optimizer.step(closure=optimizer_closure)
        self.step += 1
        if self.average is not None and (self.recipe.average != "polyak" or self.step > self.steps // 2):
            self.average.update(self.net)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """In full precision, as the test."""
        images, labels = batch
        with torch.autocast(images.device.type, enabled=False):
            self.seen.append((self.tested(images), labels))

    def on_validation_epoch_end(self) -> None:
        """Add a row to the curve. Raises StudyError if the training has diverged."""
        output, labels = (torch.cat(column) for column in zip(*self.seen, strict=True))
        self.seen.clear()
        if not self.losses:  # Lightning's try before the first step
            return
        if self.world.size > 1:
            output, labels = gathered(output), gathered(labels)
        groups = self.schedule.optimizer.param_groups
        row = {
            "step": self.step,
            "epoch": round(self.step / self.batches_per_epoch, 4),
            "lr": round(groups[0]["lr"], 8),
            "train_loss": round(torch.stack(self.losses).mean().item(), 6),
            "val_loss": round(F.cross_entropy(output, labels).item(), 6),
            "val_top1_err": metrics.error(output, labels, 1),
            "val_top5_err": metrics.error(output, labels, 5),
        }
        self.losses.clear()
        self.curve.append(row)
        if not torch.isfinite(torch.tensor([row["train_loss"], row["val_loss"]])).all():
            raise StudyError(f"the loss is not a number any more at step {row['step']}: lower the entry's lr")
        self.log_dict({name: value for name, value in row.items() if name not in ("step", "epoch")})
        if self.recipe.schedule.kind == "plateau":  # the rate of the next step goes by this validation, too
            for group in groups:
                group["lr"] = group["initial_lr"] * self.factor(self.step)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        losses = torch.stack(self.losses) if self.losses else None
        checkpoint["run"] = {"step": self.step, "curve": self.curve, "losses": losses}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        run = checkpoint["run"]
        self.step, self.curve = run["step"], run["curve"]
        self.losses = list(run["losses"]) if run["losses"] is not None else []


def seed_device(seed: int, device: torch.device) -> None:
    """What torch.manual_seed does for the generator of `device` alone: that one also formats a stack for every kind of
    accelerator that the machine lacks, a millisecond a call."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
