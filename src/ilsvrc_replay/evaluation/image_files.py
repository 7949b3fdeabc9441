"""The original test images as the publisher of weights prepares them, in place of the packed ones."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input.views import channels_last
from ilsvrc_replay.models.library_weights import LibraryWeights
from ilsvrc_replay.originals import decoding
from ilsvrc_replay.originals.original import Picture, Pictures


class OriginalBatches:
    """The first `limit` test images, or all, in the order of the packed ones; the last batch may be smaller.

    Gives images (N, 3, S, S), standardised as published, with their labels (N,), on `device`.
    """

    def __init__(
        self,
        pictures: Pictures,
        published: LibraryWeights,
        *,
        batch_size: int,
        device: torch.device,
        limit: int | None = None,
    ) -> None:
        self.pictures, self.published, self.batch_size, self.device = pictures, published, batch_size, device
        self.test = pictures.test[:limit]

    def __len__(self) -> int:
        return math.ceil(len(self.test) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for start in range(0, len(self.test), self.batch_size):
                members = self.test[start : start + self.batch_size]
                images = torch.stack(list(pool.map(self.prepare, members)))
                labels = torch.tensor([label for _, label in members])
                yield channels_last(images.to(self.device)), labels.to(self.device)

    def prepare(self, picture: Picture) -> Tensor:
        """Raises StudyError naming an image that cannot be used."""
        try:
            image, _ = decoding.open_rgb(self.pictures.files.read(picture.name), picture.name)
        except decoding.PictureError as error:
            raise StudyError(f"{picture.name} {error}") from None
        return self.published.transform(image)


@torch.inference_mode()
def predict(net: nn.Module, batches: OriginalBatches) -> Tensor:
    """Class probabilities (N, K) of the images in `batches`, on the CPU."""
    return torch.cat([net(images).softmax(1).cpu() for images, _ in batches])


def open_originals(dataset: Dataset, raw: Path) -> Pictures:
    """The data set's image files. Raises StudyError if it has none."""
    pictures = dataset.read(raw)
    if not isinstance(pictures, Pictures):
        raise StudyError(f"published weights are tested on image files, which {dataset.name} has not")
    return pictures
