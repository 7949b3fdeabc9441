"""Parameters, multiply-adds and depth of a net."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ilsvrc_replay.models.tracing import trace

WEIGHTED = ("ConvolutionBackward", "AddmmBackward", "MmBackward")  # what autograd calls convolutions and linear layers


def count_parameters(net: nn.Module) -> int:
    """Trainable numbers of `net`; the auxiliary classifiers that are gone at test time are not counted."""
    auxiliary = {id(p) for name, p in net.named_parameters() if name.lower().startswith("aux")}
    return sum(p.numel() for p in net.parameters() if id(p) not in auxiliary)


def count_macs(net: nn.Module, image_size: int, channels: int = 3) -> int:
    """Multiply-adds of one image's way through the convolutions and fully connected layers of `net` at test time."""
    was_training = net.training
    with FlopCounterMode(display=False) as counter:
        trace(net.eval(), image_size, channels, images=1)
    net.train(was_training)
    return counter.get_total_flops() // 2


def count_depth(net: nn.Module, image_size: int, channels: int = 3) -> int:
    """Layers with weights on the longest way from the image to the scores, as papers count depth.

    Layers without weights do not count, nor do those of auxiliary classifiers. The way is the one that gradients take.
    """
    image = torch.empty(1, channels, image_size, image_size, device=next(net.parameters()).device, requires_grad=True)
    was_training = net.training
    end = net.eval()(image).grad_fn
    net.train(was_training)
    return longest_path(end)


def longest_path(end: torch.autograd.graph.Node) -> int:
    """The most weighted layers on any way through the graph of gradients that starts at `end`."""
    longest: dict[torch.autograd.graph.Node, int] = {}
    waiting = [end]
    while waiting:
        node = waiting[-1]
        before = [step for step, _ in node.next_functions if step is not None]
        missing = [step for step in before if step not in longest]
        if missing:
            waiting += missing
            continue
        longest[waiting.pop()] = node.name().startswith(WEIGHTED) + max((longest[step] for step in before), default=0)
    return longest[end]
