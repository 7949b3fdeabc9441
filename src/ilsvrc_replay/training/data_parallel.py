"""One batch on several processes: what makes its parts add up to what one process computes on the whole.

The gradient of the whole batch is the mean of the parts' gradients, each weighted by its number of images; batch
normalisation takes its statistics over all processes; a dropout mask is drawn for the whole batch by every process,
which applies its own rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

from ilsvrc_replay.input.world import World

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class SharedDropout(nn.Module):
    """nn.Dropout on one process's rows of a batch of `batch_size` images. On CPUs the masks are as without others.

    `generator` has the same state in every process, and draws for one layer after the other.
    """

    def __init__(self, p: float, world: World, batch_size: int, generator: torch.Generator) -> None:
        super().__init__()
        self.p, self.rows, self.batch_size, self.generator = p, world.rows(batch_size), batch_size, generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        per_image = len(x) // (self.rows.stop - self.rows.start)  # rows; some nets cut an image into windows
        mask = x.new_empty((per_image * self.batch_size, *x.shape[1:]))
        mask = mask.bernoulli_(1 - self.p, generator=self.generator).div_(1 - self.p)
        return x * mask[per_image * self.rows.start : per_image * self.rows.stop]


def share_layers(net: nn.Module, world: World, batch_size: int, generator: torch.Generator) -> nn.Module:
    """Replace, in place, the layers of `net` that look across the images of a batch or draw by their number in it."""
    if has_batch_norm(net):
        from timm.layers import convert_sync_batchnorm  # torch's own forgets the activation in timm's fused layers

        net = convert_sync_batchnorm(net)
    for module in list(net.modules()):
        for name, layer in module.named_children():
            if type(layer) is nn.Dropout:
                setattr(module, name, SharedDropout(layer.p, world, batch_size, generator).train(layer.training))
    return net


def has_batch_norm(net: nn.Module) -> bool:
    return any(isinstance(layer, BATCH_NORMS) for layer in net.modules())


def summed(value: Tensor) -> Tensor:
    """The sum of `value` over all processes, in place."""
    distributed.all_reduce(value)
    return value


def gathered(part: Tensor) -> Tensor:
    """Every process's rows of a tensor, in the processes' order; their numbers of rows may differ."""
    count, rank = distributed.get_world_size(), distributed.get_rank()
    lengths = torch.zeros(count, dtype=torch.int64, device=part.device)
    lengths[rank] = len(part)
    pieces = [part.new_empty((length, *part.shape[1:])) for length in summed(lengths).tolist()]
    pieces[rank] = part.contiguous()
    for source, piece in enumerate(pieces):
        distributed.broadcast(piece, source)
    return torch.cat(pieces)
