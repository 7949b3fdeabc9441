"""The packed form of a data set: uint8 images that can be memory-mapped, and all that is known of them in meta.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ilsvrc_replay.errors import StudyError, memory_is_short
from ilsvrc_replay.files import read_json
from ilsvrc_replay.packed import shards


class Pixels(NamedTuple):
    """Statistics of the training pixels on the [0, 1] scale: by channel (C,), eigenvectors as columns (C, C)."""

    mean: Tensor
    std: Tensor
    pca_values: Tensor
    pca_vectors: Tensor

    def standardise(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) on the [0, 1] scale to mean 0 and standard deviation 1."""
        return (images - self.mean[:, None, None]).div_(self.std[:, None, None])


EXCHANGED = ("train", "val")
KEYS = ("name", "classes", "channels", "image_size", "images", *Pixels._fields, "sha256")  # of meta.json


@dataclass(frozen=True)
class Packed:
    """A packed data set on disk, at `folder`; images and labels are mapped, not read.

    `exchange`, by the splits train and val, is which of their images have changed places, in pairs.
    """

    folder: Path
    meta: dict[str, Any]
    exchange: Mapping[str, Tensor] = field(default_factory=dict)

    def redrawn(self, seed: int) -> Packed:
        """The data set with other training images held out as val, drawn by `seed` from train and val together: as many
        of each class. Test images and the pixels' statistics, which are those of the packed split, stay."""
        classes, counts = len(self.meta["classes"]), [self.meta["images"][split] for split in EXCHANGED]
        if not all(counts):
            return self
        rng, entering, leaving = np.random.default_rng(seed), [], []
        train_members, val_members = (by_class(self.stored_labels(split).numpy(), classes) for split in EXCHANGED)
        for train, val in zip(train_members, val_members, strict=True):
            drawn = rng.permutation(len(train) + len(val))[: len(val)]
            entering.append(train[drawn[drawn < len(train)]])
            leaving.append(np.delete(val, drawn[drawn >= len(train)] - len(train)))
        pairs = (torch.from_numpy(np.concatenate(places)) for places in (entering, leaving))
        return replace(self, exchange=dict(zip(EXCHANGED, pairs, strict=True)))

    def images(self, split: str) -> Tensor | shards.ShardedImages:
        """uint8, (N, C, S, S), where S is the stored size: a mapped array, or shards of JPEGs."""
        return self.exchanged(split, self.stored_images)

    def labels(self, split: str) -> Tensor:
        """int64, (N,)."""
        return self.exchanged(split, self.stored_labels)

    def exchanged(self, split: str, stored: Callable[[str], Any]) -> Any:
        """What is `stored` of a split, with what the exchange has brought into it."""
        found = stored(split)
        if split not in self.exchange:
            return found
        (other,) = set(EXCHANGED) - {split}
        if isinstance(found, shards.ShardedImages):
            return found.with_others(self.exchange[split].tolist(), stored(other).files, self.exchange[other].tolist())
        found[self.exchange[split]] = stored(other)[self.exchange[other]]  # of what is mapped, a copy of these pages
        return found

    def stored_images(self, split: str) -> Tensor | shards.ShardedImages:
        if "storage" in self.meta:
            count, size = self.meta["images"][split], self.meta.get("stored_size", self.meta["image_size"])
            files = shards.ShardFiles(self.folder, split, count, size, self.meta["storage"]["images_in_shard"])
            return shards.ShardedImages(files, range(count))
        return self.array(f"{split}_images.npy", "uint8", 4)

    def stored_labels(self, split: str) -> Tensor:
        return self.array(f"{split}_labels.npy", "int64", 1)

    def array(self, name: str, kind: str, rank: int) -> Tensor:
        """One file, mapped. Raises StudyError if it is missing or damaged, or of another form than is wanted."""
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="c")
        except (OSError, ValueError, EOFError) as error:
            if memory_is_short(error):
                raise
            raise StudyError(f"{path} cannot be read ({error}): run `dvc repro --force prepare`") from None
        wanted = self.meta["images"][name.partition("_")[0]]
        if (array.dtype, array.ndim, len(array)) != (np.dtype(kind), rank, wanted):
            raise StudyError(f"{path} is not what meta.json says: run `dvc repro --force prepare`")
        return torch.from_numpy(array)

    @property
    def shape(self) -> dict[str, int]:
        """What a net must know of the images: `image_size` px, `channels` and `classes`."""
        return {
            "image_size": self.meta["image_size"],
            "channels": self.meta["channels"],
            "classes": len(self.meta["classes"]),
        }

    def pixels(
        self,
        device: torch.device | str = "cpu",
        normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> Pixels:
        """The training pixels' statistics; with the mean and deviation of `normalisation` if it has these channels."""
        statistics = {key: self.meta[key] for key in Pixels._fields}
        if normalisation and len(normalisation[0]) == self.meta["channels"]:
            statistics["mean"], statistics["std"] = normalisation
        return Pixels(**{key: torch.tensor(value, device=device) for key, value in statistics.items()})


def by_class(labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """The places of each class among `labels` (N,)."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, classes)))


def load(folder: Path) -> Packed:
    """The packed data set at `folder`. Raises StudyError if it is not there or its meta.json says not enough."""
    if not (folder / "meta.json").is_file():
        raise StudyError(f"{folder} holds no packed data set: run `dvc repro prepare` first")
    meta = read_json(folder / "meta.json")
    missing = [key for key in KEYS if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise StudyError(f"{folder}/meta.json lacks {', '.join(missing)}: run `dvc repro --force prepare`")
    return Packed(folder, meta)
