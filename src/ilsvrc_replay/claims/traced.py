"""The nets of the history as the measures see them: counted, and traced layer by layer, without memory."""

from __future__ import annotations

from functools import cache, cached_property
from math import prod
from typing import NamedTuple

import torch
from torch import nn

from ilsvrc_replay.layers.blocks import LocalResponseNorm
from ilsvrc_replay.models import counting, registry
from ilsvrc_replay.models.initial_weights import materialise
from ilsvrc_replay.recipes.catalogue import complete, of_net
from ilsvrc_replay.run import Recipe

NORMALISATIONS = (LocalResponseNorm, nn.LocalResponseNorm, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)
ROLES = {nn.Conv2d: "conv", nn.MaxPool2d: "pool"} | dict.fromkeys(NORMALISATIONS, "norm")


class TracedLayer(NamedTuple):
    """A module without children, with the shapes (C, H, W) or (C,) that it reads and gives for one image."""

    name: str
    module: nn.Module
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.module.parameters())

    @property
    def macs(self) -> int:
        """Multiply-adds for one image; only of a convolution or a fully connected layer."""
        return self.module.weight.numel() * prod(self.outputs[1:])


class TracedNet:
    """A net on the meta device, in test mode, that reads images of `input_size` px."""

    def __init__(self, module: nn.Module, input_size: int) -> None:
        self.module, self.input_size = module.eval(), input_size

    @cached_property
    def layers(self) -> list[TracedLayer]:
        """The layers in the order in which an image passes them."""
        names = {module: name for name, module in self.module.named_modules() if not list(module.children())}
        passed: list[TracedLayer] = []

        def note(module: nn.Module, inputs: tuple[torch.Tensor], outputs: torch.Tensor) -> None:
            passed.append(TracedLayer(names[module], module, tuple(inputs[0].shape[1:]), tuple(outputs.shape[1:])))

        hooks = [module.register_forward_hook(note) for module in names]
        with torch.no_grad():
            self.module(self.image())
        for hook in hooks:
            hook.remove()
        return passed

    def of(self, *kinds: type[nn.Module]) -> list[TracedLayer]:
        """The layers of any of `kinds`, in the same order."""
        return [layer for layer in self.layers if isinstance(layer.module, kinds)]

    def order(self, length: int) -> str:
        """What the first `length` layers are, of those that convolve, pool or normalise: "conv - norm - pool"."""
        return " - ".join(ROLES[type(layer.module)] for layer in self.of(*ROLES)[:length])

    @cached_property
    def parameters(self) -> int:
        return counting.count_parameters(self.module)

    @cached_property
    def macs(self) -> int:
        return counting.count_macs(self.module, self.input_size)

    @cached_property
    def depth(self) -> int:
        return counting.count_depth(self.module, self.input_size)

    @cached_property
    def additions(self) -> int:
        """Places where two ways through the net are added: its shortcuts."""
        sums = [node for node in self.gradients if node.name().startswith("AddBackward")]
        return sum(
            all(step and "AccumulateGrad" not in step.name() for step, _ in node.next_functions) for node in sums
        )

    @cached_property
    def reductions(self) -> int:
        """Places where a map that was just pooled is joined with those of other branches: grid reductions."""
        joins = [node for node in self.gradients if node.name().startswith("CatBackward")]
        return sum(any(step and step.name().startswith("MaxPool") for step, _ in node.next_functions) for node in joins)

    @cached_property
    def gradients(self) -> set[torch.autograd.graph.Node]:
        """The steps of the way back, which show also what is not a module: additions, joins, poolings."""
        seen: set[torch.autograd.graph.Node] = set()
        waiting = [self.module(self.image().requires_grad_()).grad_fn]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += [step for step, _ in node.next_functions if step]
        return seen

    def image(self) -> torch.Tensor:
        return torch.empty(1, 3, self.input_size, self.input_size, device="meta")


@cache
def find(name: str) -> TracedNet:
    """The net `name` as published."""
    architecture = registry.find(name)
    return TracedNet(registry.on_meta(architecture), architecture.input_size)


def start(name: str, width: float) -> nn.Module:
    """The net `name` at a share of its width, with memory and the initial weights of its paper, always the same."""
    net, _ = registry.build(name, image_size=224, channels=3, classes=1000, width=width, compact_factor=1)
    with torch.random.fork_rng(devices=[]):
        return materialise(net, registry.find(name), "paper", seed=0)


def recipe(name: str) -> Recipe:
    """The recipe of its era for the net `name`."""
    return complete(of_net("era", name))
