"""Batches of a data set that lies whole in the memory of the device that trains on it, or else on the disk: mapped, or
as JPEGs, which are decoded while the batches before them train.

Labels are always on that device; the images of a batch follow them there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ilsvrc_replay.input import seeding
from ilsvrc_replay.input.world import ALONE, World
from ilsvrc_replay.packed.shards import ShardedImages

SHARE = 0.5  # of a GPU's free memory that images may take
AHEAD = 2  # batches that are decoded before they are asked for

View = Callable[[Tensor, Tensor, int], Tensor]  # uint8 images, their numbers, the epoch -> what the net sees


def resident(images: Tensor | ShardedImages, device: torch.device) -> Tensor | ShardedImages:
    """`images` on `device` if it has room for them all, else as they are."""
    if isinstance(images, ShardedImages):
        return images
    if device.type == "cuda" and images.nbytes > SHARE * torch.cuda.mem_get_info(device)[0]:
        return images
    return images.to(device)


def fetched(images: Tensor | ShardedImages, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """For each of `batches`, numbers of images on the device that trains, those numbers and the images, there."""
    if isinstance(images, Tensor):
        for index in batches:
            yield index, images.index_select(0, index.to(images.device)).to(index.device)  # [] is 5 times slower
        return
    with ThreadPoolExecutor(1) as pool:  # it only waits for the threads that decode
        coming: deque = deque()
        for index in batches:
            coming.append((index, pool.submit(images.index_select, 0, index)))
            if len(coming) > AHEAD:
                first, future = coming.popleft()
                yield first, future.result().to(first.device)
        for index, future in coming:
            yield index, future.result().to(index.device)


class TrainingBatches:
    """An endless shuffled stream of batches; iterating hands out those from number `next` to the end of its interval.

    Intervals have `interval` batches. Batch number k of a run depends on (seed, k) alone, never on what came before, so
    that setting `next` is all it takes to go on where a killed run was. The last images of an epoch that fill no batch
    are left out of it; every epoch has an order of its own. Of several processes each takes its rows of every batch.
    """

    def __init__(
        self,
        images: Tensor | ShardedImages,
        labels: Tensor,
        *,
        batch_size: int,
        interval: int,
        seed: int,
        view: View,
        world: World = ALONE,
    ) -> None:
        self.images, self.labels, self.view, self.world = images, labels, view, world
        self.batch_size, self.interval, self.seed = batch_size, interval, seed
        self.batches_per_epoch = len(labels) // batch_size
        self.next = 0

    def __len__(self) -> int:
        return self.interval - self.next % self.interval

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        numbers = range(self.next, self.next + len(self))
        for number, (index, images) in zip(numbers, fetched(self.images, self.indices(numbers)), strict=True):
            self.next = number + 1
            yield self.view(images, index, number // self.batches_per_epoch), self.labels.index_select(0, index)

    def indices(self, numbers: range) -> Iterator[Tensor]:
        """Which images the batches of these numbers have."""
        current, order = -1, torch.empty(0)
        for number in numbers:
            epoch, position = divmod(number, self.batches_per_epoch)
            if epoch != current:
                current, order = epoch, self.order(epoch)
            yield order[position * self.batch_size : (position + 1) * self.batch_size][self.world.rows(self.batch_size)]

    def order(self, epoch: int) -> Tensor:
        generator = seeding.generator(self.seed, epoch)
        return torch.randperm(len(self.labels), generator=generator).to(self.labels.device)


class OrderedBatches:
    """Every image of the process once, in order; the last batch may be smaller."""

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        batch_size: int,
        view: Callable[[Tensor], Tensor],
        world: World = ALONE,
    ) -> None:
        self.images, self.labels, self.batch_size, self.view = images, labels, batch_size, view
        self.world = world

    def __len__(self) -> int:
        mine = self.world.rows(len(self.labels))
        return math.ceil((mine.stop - mine.start) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        mine = self.world.rows(len(self.labels))
        for start in range(mine.start, mine.stop, self.batch_size):
            part = slice(start, min(start + self.batch_size, mine.stop))
            yield self.view(self.images[part].to(self.labels.device)), self.labels[part]
