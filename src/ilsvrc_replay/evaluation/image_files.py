"""The original test images, prepared as the publisher of weights does it, in place of the packed ones."""

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
from ilsvrc_replay.originals.labelled_images import ImageFile, LabelledFiles


class OriginalBatches:
    """The first `limit` test images, or all, in the order of the packed ones; the last batch may be smaller.

    Gives images (N, 3, S, S), standardised as published, with their labels (N,), on `device`.
    """

    def __init__(
        self,
        originals: LabelledFiles,
        published: LibraryWeights,
        *,
        batch_size: int,
        device: torch.device,
        limit: int | None = None,
    ) -> None:
        self.originals, self.published, self.batch_size, self.device = originals, published, batch_size, device
        self.test = originals.test[:limit]

    def __len__(self) -> int:
        return math.ceil(len(self.test) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for start in range(0, len(self.test), self.batch_size):
                members = self.test[start : start + self.batch_size]
                images = torch.stack(list(pool.map(self.prepare, members)))
                labels = torch.tensor([label for _, label in members])
                yield channels_last(images.to(self.device)), labels.to(self.device)

    def prepare(self, file: ImageFile) -> Tensor:
        """The image (3, S, S) as the net reads it. Raises StudyError naming a file that cannot be used."""
        try:
            image, _ = decoding.open_rgb(self.originals.files.read(file.name), file.name)
        except decoding.ImageError as error:
            raise StudyError(f"{file.name} {error}") from None
        return self.published.transform(image)


@torch.inference_mode()
def predict(net: nn.Module, batches: OriginalBatches) -> Tensor:
    """Class probabilities (N, K) of the images in `batches`, on the CPU."""
    return torch.cat([net(images).softmax(1).cpu() for images, _ in batches])


def open_originals(dataset: Dataset, raw: Path) -> LabelledFiles:
    """The data set's image files. Raises StudyError if it has none."""
    originals = dataset.read(raw)
    if not isinstance(originals, LabelledFiles):
        raise StudyError(f"published weights are tested on image files, which {dataset.name} does not have")
    return originals
