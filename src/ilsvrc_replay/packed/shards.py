"""Images as JPEGs of the stored size in some large files, decoded by threads when a batch asks for them.

A split is `<split>_images-<number>.jpegs`, `images_in_shard` JPEGs one after another in each, and
`<split>_offsets.npy`, int64 (N + 1,): where each begins, counted over all files of the split. Plain files rather than
a library's format: webdataset reads in sequence, but batch k takes any images, so that a killed run can go on at any
step; litdata and ffcv bring loaders and formats of their own for what is here a slice of a mapped file. There is next
to nothing to gain: `replay bench` measures what reading costs beside decoding, which Pillow does without Python's lock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ilsvrc_replay.errors import StudyError, memory_is_short

QUALITY, SUBSAMPLING = 90, "4:2:0"
SHARD = 8192  # images in a file


def encode(pixels: np.ndarray) -> bytes:
    """uint8 (3, S, S) as a JPEG."""
    content = BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(content, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
    return content.getvalue()


def shard_name(split: str, number: int) -> str:
    return f"{split}_images-{number:05d}.jpegs"


class ShardFiles:
    """The files of a split, mapped."""

    def __init__(self, folder: Path, split: str, count: int, size: int, in_shard: int) -> None:
        self.folder, self.size, self.in_shard = folder, size, in_shard
        path = folder / f"{split}_offsets.npy"
        try:
            self.offsets = np.load(path)
            if self.offsets.shape != (count + 1,):
                raise ValueError("it is not what meta.json says")
            self.shards = []
            for number, first in enumerate(range(0, count, in_shard)):
                path = folder / shard_name(split, number)
                self.shards.append(np.memmap(path, np.uint8, "r"))
                if len(self.shards[-1]) != self.offsets[min(first + in_shard, count)] - self.offsets[first]:
                    raise ValueError("it has not the length that it should have")
        except (OSError, ValueError, EOFError) as error:
            if memory_is_short(error):
                raise
            raise StudyError(f"{path} cannot be read ({error}): run `dvc repro --force prepare`") from None

    @cached_property
    def pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(len(os.sched_getaffinity(0)))

    def content(self, number: int) -> np.ndarray:
        """The JPEG of image `number`: uint8 (bytes,), mapped."""
        shard = number // self.in_shard
        begin, end = self.offsets[number : number + 2] - self.offsets[shard * self.in_shard]
        return self.shards[shard][begin:end]

    def decode(self, number: int) -> np.ndarray:
        """Image `number`: uint8 (S, S, 3). Raises StudyError naming the file if it is damaged."""
        try:
            pixels = np.asarray(Image.open(BytesIO(self.content(number)), formats=["JPEG"]))
            if pixels.shape == (self.size, self.size, 3):
                return pixels
            raise OSError(f"{pixels.shape} px")
        except (OSError, SyntaxError, ValueError) as error:
            name = self.shards[number // self.in_shard].filename
            raise StudyError(f"{name}: image {number} is damaged ({error}): run `dvc repro --force prepare`") from None


class ShardedImages:
    """A split's images, or a stretch of them, for use in place of a tensor uint8 (N, 3, S, S). `others` says of some
    numbers in which files and under which number the image lies that has the place.

    A slice is a stretch, nothing decoded yet; a tensor of numbers takes images out, decoded, and `to` all of them.
    """

    device = torch.device("cpu")

    def __init__(
        self, files: ShardFiles, stretch: range, others: Mapping[int, tuple[ShardFiles, int]] | None = None
    ) -> None:
        self.files, self.stretch, self.others = files, stretch, others or {}

    def with_others(self, places: Sequence[int], files: ShardFiles, numbers: Sequence[int]) -> ShardedImages:
        """These images, but at `places` those of other `files` with these `numbers`."""
        there = {place: (files, number) for place, number in zip(places, numbers, strict=True)}
        return ShardedImages(self.files, self.stretch, {**self.others, **there})

    def __len__(self) -> int:
        return len(self.stretch)

    @property
    def shape(self) -> torch.Size:
        return torch.Size([len(self), 3, self.files.size, self.files.size])

    def __getitem__(self, index: slice | int | Tensor) -> ShardedImages | Tensor:
        if isinstance(index, slice):
            return ShardedImages(self.files, self.stretch[index], self.others)
        if isinstance(index, int):
            return self.decoded([index])[0]
        return self.decoded(index.tolist())

    def index_select(self, _: int, index: Tensor) -> Tensor:
        return self.decoded(index.tolist())

    def split(self, size: int) -> list[ShardedImages]:
        return [self[start : start + size] for start in range(0, len(self), size)]

    def to(self, device: torch.device | str) -> Tensor:
        return self.decoded(range(len(self))).to(device)

    def decoded(self, numbers: range | list[int]) -> Tensor:
        """uint8 (N, 3, S, S)."""
        images = torch.empty(len(numbers), *self.shape[1:], dtype=torch.uint8)
        target = images.numpy()

        def decode(place: int) -> None:
            number = self.stretch[numbers[place]]
            files, number = self.others.get(number, (self.files, number))
            target[place] = files.decode(number).transpose(2, 0, 1)

        for _ in self.files.pool.map(decode, range(len(numbers))):
            pass
        return images
