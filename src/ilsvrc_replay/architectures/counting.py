"""Parameters and multiply-adds of a net."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers of `net`; the auxiliary classifiers that are gone at test time are not counted."""
    auxiliary = {id(p) for name, p in net.named_parameters() if name.lower().startswith("aux")}
    return sum(p.numel() for p in net.parameters() if id(p) not in auxiliary)


def count_macs(net: nn.Module, image_size: int, channels: int = 3) -> int:
    """Multiply-adds of one image's way through the convolutions and fully connected layers of `net` at test time."""
    image = torch.empty(1, channels, image_size, image_size, device=next(net.parameters()).device)
    was_training = net.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.eval()(image)
    net.train(was_training)
    return counter.get_total_flops() // 2
