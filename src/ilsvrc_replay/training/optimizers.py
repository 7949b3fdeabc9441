"""The recipes' optimisers, and the averages of weights that some papers test in place of the last ones."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ilsvrc_replay.run import Recipe

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


class Average(nn.Module):
    """A copy of `net`, `module`, whose weights `update` moves towards the net's own.

    ema: a moving average as TensorFlow's, whose decay starts low so that a short training forgets its start too.
    polyak: the mean of all weights since the first update (Polyak & Juditsky 1992).
    Statistics of batch normalisations are averaged like the weights. Unlike torch's AveragedModel it counts on the
    host, and so never waits for a GPU.
    """

    def __init__(self, net: nn.Module, kind: str) -> None:
        super().__init__()
        self.module = copy.deepcopy(net).requires_grad_(False)
        self.weight = {"ema": ema_weight, "polyak": mean_weight}[kind]
        self.updates = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        pairs = list(zip(tensors(self.module), tensors(net), strict=True))
        averages, newest = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        decay = 1 - self.weight(self.updates) if self.updates else 0.0
        get_ema_multi_avg_fn(decay)(averages, newest, None)
        for average, new in pairs:
            if not average.is_floating_point():  # a number of batches
                average.copy_(new)
        self.updates += 1

    def get_extra_state(self) -> int:
        return self.updates

    def set_extra_state(self, state: int) -> None:
        self.updates = state


def tensors(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]


def ema_weight(updates: int) -> float:
    """What the newest weights count after `updates` earlier ones: tf.train.ExponentialMovingAverage(num_updates)."""
    return 1 - min(EMA_DECAY, (1 + updates) / (10 + updates))


def mean_weight(updates: int) -> float:
    return 1 / (updates + 1)
