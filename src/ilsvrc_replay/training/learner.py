"""What learns in a run: a net with its optimiser, by its recipe, and the curve it draws."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from ilsvrc_replay import metrics
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input import seeding
from ilsvrc_replay.input.world import ALONE, World
from ilsvrc_replay.run import Recipe
from ilsvrc_replay.training.data_parallel import gathered, share_layers, summed
from ilsvrc_replay.training.optimizers import Average, make_optimizer
from ilsvrc_replay.training.schedule import rate

Batch = tuple[Tensor, Tensor]  # images (N, C, H, W) as the net sees them, labels (N,)


class Learner:
    """Trains `net` for `steps` steps by `recipe`; `curve` gains a row at every validation.

    A net that returns a tuple while training has auxiliary classifiers: their losses count as the recipe says, or else
    `net.auxiliary_weight`. Where the recipe averages weights, `average` holds them and is what is validated.

    Of several processes each sees its rows of a batch; all have the same weights and the same curve.
    """

    def __init__(
        self,
        net: nn.Module,
        recipe: Recipe,
        steps: int,
        batches_per_epoch: int,
        seed: int,
        world: World = ALONE,
        device: torch.device | None = None,
    ) -> None:
        self.net, self.recipe, self.steps, self.seed = net, recipe, steps, seed
        self.device = device or torch.device("cpu")
        self.average = None if recipe.average == "none" else Average(net, recipe.average)
        self.batches_per_epoch, self.world = batches_per_epoch, world
        if world.size > 1:
            self.masks = torch.Generator(self.device)
            self.net = share_layers(net, world, recipe.batch_size, self.masks)
        self.step = 0  # how many are done
        self.curve: list[dict[str, float]] = []
        self.losses: list[Tensor] = []  # of the steps since the last validation

    def set_up(self, fabric: Fabric, scaled: bool = False) -> None:
        """Make ready to train where and how `fabric` says; its losses are `scaled` in fp16."""
        self.fabric = fabric
        fabric.to_device(self.net.to(memory_format=torch.channels_last).train())
        if self.average is not None:
            self.average.module.to(fabric.device, memory_format=torch.channels_last)
        # What is fused unscales too late for clipping.
        self.optimizer = make_optimizer(self.recipe, self.net, fused=not (scaled and self.recipe.clip))
        self.stepper = fabric.setup_optimizers(self.optimizer)
        self.forward = fabric.strategy.setup_module(self.net)  # Fabric's own wrapper would add a percent to short steps

    @property
    def tested(self) -> nn.Module:
        """The net with the weights that count: the last, or their average as soon as there is one."""
        return self.net if self.average is None or not self.average.updates else self.average.module

    @property
    def lr(self) -> float:
        """The learning rate of the step to come."""
        errors = [row["val_top1_err"] for row in self.curve]
        return self.recipe.lr * rate(self.recipe.schedule, min(self.step / self.steps, 1), errors)

    def learn(self, batch: Batch) -> None:
        """One step."""
        images, labels = batch
        self.seed_draws()
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr
        with self.fabric.autocast():
            main, loss = self.loss(self.forward(images), labels)
        share = self.world.share(self.recipe.batch_size)
        self.losses.append(main if self.world.size == 1 else summed(main * share))
        self.fabric.backward(loss if self.world.size == 1 else loss * (self.world.size * share))  # DDP takes the mean
        if limit := self.recipe.clip:
            self.fabric.clip_gradients(self.net, self.stepper, max_norm=limit, error_if_nonfinite=False)
        self.stepper.step()
        self.optimizer.zero_grad()
        self.step += 1
        if self.average is not None and (self.recipe.average != "polyak" or self.step > self.steps // 2):
            self.average.update(self.net)

    def loss(self, outputs: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """The main classifier's loss, detached, and what the step descends: the sum with the auxiliary ones'.

        Cross-entropy; with label smoothing against (1 - s) of the label and s / K of each of K classes (Rethinking the
        Inception architecture, section 7).
        """
        main, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
        whole = first = F.cross_entropy(main, labels, label_smoothing=self.recipe.label_smoothing)
        for scores_ in auxiliary:
            weight = self.recipe.auxiliary_weight
            weight = self.net.auxiliary_weight if weight is None else weight
            whole = whole + weight * F.cross_entropy(scores_, labels, label_smoothing=self.recipe.label_smoothing)
        return first.detach(), whole

    def seed_draws(self) -> None:
        """Let dropout draw by (seed, step) alone, whatever ran before."""
        key = seeding.seed_of(self.seed, self.step)
        if self.world.size > 1:
            self.masks.manual_seed(key)  # dropout, drawn for the whole batch
            key = seeding.seed_of(self.seed, self.step, self.world.rank)  # what else is drawn differs by process
        seed_device(key, self.device)

    @torch.no_grad()
    def validate(self, batches: Iterable[Batch]) -> None:
        """Add a row to the curve; in full precision, as the test. Raises StudyError if the training has diverged."""
        net = self.tested.eval()
        output, labels = (torch.cat(column) for column in zip(*((net(x), y) for x, y in batches), strict=True))
        self.net.train()
        if self.world.size > 1:
            output, labels = gathered(output), gathered(labels)
        row = {
            "step": self.step,
            "epoch": round(self.step / self.batches_per_epoch, 4),
            "lr": round(self.lr, 8),
            "train_loss": round(torch.stack(self.losses).mean().item(), 6),
            "val_loss": round(F.cross_entropy(output, labels).item(), 6),
            "val_top1_err": metrics.error(output, labels, 1),
            "val_top5_err": metrics.error(output, labels, 5),
        }
        self.losses.clear()
        self.curve.append(row)
        if not torch.isfinite(torch.tensor([row["train_loss"], row["val_loss"]])).all():
            raise StudyError(f"the loss is not a number any more at step {row['step']}: lower the entry's lr")

    def state(self) -> dict[str, Any]:
        """All that decides how the training goes on; `restore` takes it."""
        return {
            "step": self.step,
            "net": self.net.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),  # the scale of losses in fp16
            "curve": self.curve,
            "losses": torch.stack(self.losses) if self.losses else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.step, self.curve = state["step"], state["curve"]
        self.net.load_state_dict(state["net"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        self.losses = list(state["losses"].to(self.device)) if state["losses"] is not None else []


def seed_device(seed: int, device: torch.device) -> None:
    """What torch.manual_seed does for the generator of `device` alone: that one also formats a stack for every kind of
    accelerator that the machine lacks, a millisecond a call."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
