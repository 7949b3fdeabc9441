"""The recipes' optimisers, and the averages of weights that some papers test in place of the last ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ilsvrc_replay.params import Recipe

ADAMW_BETA2 = 0.99  # a memory of a hundred steps: short trainings have only some hundreds
RMSPROP = {"alpha": 0.9, "eps": 1.0}  # Rethinking the Inception architecture, section 8
EMA_DECAY = 0.9999  # of the Inception papers' released code, as remembered


def make_optimizer(recipe: Recipe, net: nn.Module, fused: bool = True) -> torch.optim.Optimizer:
    """The recipe's optimiser for all parameters of `net`, by one `fused` kernel where torch has one.

    RMSProp is TensorFlow's, on which the Inception papers ran: epsilon stands inside the root, the mean of squares
    starts at 1, and the rate is part of the momentum. PyTorch's differs in all three; timm ships TensorFlow's.
    """
    options = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(net.parameters(), betas=(recipe.momentum, ADAMW_BETA2), fused=fused, **options)
    if recipe.optimizer == "rmsprop":
        from timm.optim import RMSpropTF

        return RMSpropTF(net.parameters(), momentum=recipe.momentum, **RMSPROP, **options)
    nesterov = recipe.optimizer == "nesterov"
    return torch.optim.SGD(net.parameters(), momentum=recipe.momentum, nesterov=nesterov, fused=fused, **options)


def average_of(net: nn.Module, kind: str) -> AveragedModel | None:
    """A copy of `net` that its method `update_parameters(net)` moves on: "ema", "polyak" or "none".

    ema: a moving average as TensorFlow's, whose decay starts low so that a short training forgets its start too.
    polyak: the mean of all weights since the first update (Polyak & Juditsky 1992).
    Statistics of batch normalisations are averaged like the weights.
    """
    if kind == "none":
        return None
    weight = ema_weight if kind == "ema" else mean_weight
    return AveragedModel(net, multi_avg_fn=move(weight), use_buffers=True).requires_grad_(False)


def ema_weight(updates: int) -> float:
    """What the newest weights count after `updates` earlier ones: tf.train.ExponentialMovingAverage(num_updates)."""
    return 1 - min(EMA_DECAY, (1 + updates) / (10 + updates))


def mean_weight(updates: int) -> float:
    return 1 / (updates + 1)


def move(weight: Callable[[int], float]) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """The update of AveragedModel that lets the newest tensors count `weight(updates)`."""

    @torch.no_grad()
    def update(averages: list[Tensor], newest: list[Tensor], updates: Tensor | int) -> None:
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, newest, weight(int(updates)))
        else:
            torch._foreach_copy_(averages, newest)  # counters of batches

    return update
