"""The packed form of a data set: uint8 images that can be memory-mapped, and all that is known of them in meta.json."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay.data import shards
from ilsvrc_replay.data.original import Original
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_json, sha256, write_json

SPLITS = ("train", "val", "test")


class Pixels(NamedTuple):
    """Statistics of the training pixels on the [0, 1] scale: by channel (C,), eigenvectors as columns (C, C)."""

    mean: Tensor
    std: Tensor
    pca_values: Tensor
    pca_vectors: Tensor

    def standardise(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) on the [0, 1] scale to mean 0 and standard deviation 1."""
        return (images - self.mean[:, None, None]).div_(self.std[:, None, None])


KEYS = ("name", "classes", "channels", "image_size", "images", *Pixels._fields, "sha256")  # of meta.json


@dataclass(frozen=True)
class Packed:
    """A packed data set on disk, at `folder`; images and labels are mapped, not read."""

    folder: Path
    meta: dict[str, Any]

    def images(self, split: str) -> Tensor | shards.Shards:
        """uint8, (N, C, S, S), where S is the stored size: a mapped array, or shards of JPEGs."""
        if "storage" in self.meta:
            count, size = self.meta["images"][split], self.meta.get("stored_size", self.meta["image_size"])
            files = shards.Files(self.folder, split, count, size, self.meta["storage"]["images_in_shard"])
            return shards.Shards(files, range(count))
        return self.array(f"{split}_images.npy", "uint8", 4)

    def labels(self, split: str) -> Tensor:
        """int64, (N,)."""
        return self.array(f"{split}_labels.npy", "int64", 1)

    def array(self, name: str, kind: str, rank: int) -> Tensor:
        """One file, mapped. Raises StudyError if it is missing or damaged, or of another form than is wanted."""
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="c")
        except (OSError, ValueError, EOFError) as error:
            raise StudyError(f"{path} cannot be read ({error}): run `dvc repro --force prepare`") from None
        wanted = self.meta["images"][name.partition("_")[0]]
        if (array.dtype, array.ndim, len(array)) != (np.dtype(kind), rank, wanted):
            raise StudyError(f"{path} is not what meta.json says: run `dvc repro --force prepare`")
        return torch.from_numpy(array)

    @property
    def digest(self) -> str:
        """One sha256 for the training images."""
        sums = [value for name, value in self.meta["sha256"].items() if name.startswith("train_images")]
        return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()

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


def load(folder: Path) -> Packed:
    """The packed data set at `folder`. Raises StudyError if it is not there or its meta.json says not enough."""
    if not (folder / "meta.json").is_file():
        raise StudyError(f"{folder} holds no packed data set: run `dvc repro prepare` first")
    meta = read_json(folder / "meta.json")
    missing = [key for key in KEYS if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise StudyError(f"{folder}/meta.json lacks {', '.join(missing)}: run `dvc repro --force prepare`")
    return Packed(folder, meta)


def pack(
    original: Original,
    name: str,
    image_size: int,
    val_images: int,
    target: Path,
    *,
    stored_size: int | None = None,
    storage: str = "auto",
) -> dict[str, Any]:
    """Write the packed form of `original`, squares of `stored_size` px or else `image_size`, into the empty folder
    `target`; returns what meta.json holds.

    Raises StudyError if the original's images and labels do not fit one another.
    """
    original.check(name)
    if storage == "jpeg":
        raise StudyError(f"dataset.storage is jpeg: {name} is published as arrays, so leave it at auto")
    held_out = choose_val(original.train_labels, val_images, len(original.classes))
    parts = {
        "train": (original.train_images[~held_out], original.train_labels[~held_out]),
        "val": (original.train_images[held_out], original.train_labels[held_out]),
        "test": (original.test_images, original.test_labels),
    }
    for split, (images, labels) in parts.items():
        np.save(
            target / f"{split}_images.npy", frame(torch.from_numpy(images.copy()), stored_size or image_size).numpy()
        )
        np.save(target / f"{split}_labels.npy", labels)
    meta = {
        "name": name,
        "classes": list(original.classes),
        "channels": original.train_images.shape[1],
        **sizes(image_size, stored_size),
        "images": {split: len(parts[split][1]) for split in SPLITS},
        **pixel_statistics(np.load(target / "train_images.npy", mmap_mode="r")),
        "sha256": {path.name: sha256(path) for path in sorted(target.glob("*.npy"))},
    }
    write_json(target / "meta.json", meta)
    return meta


def sizes(image_size: int, stored_size: int | None) -> dict[str, int]:
    """For meta.json: the side that nets see, and the side that is stored where it is another."""
    return {"image_size": image_size} | ({"stored_size": stored_size} if stored_size else {})


def choose_val(labels: np.ndarray, count: int, classes: int) -> np.ndarray:
    """A mask of `count` training images to hold out, the same share of every class, always the same ones."""
    if count >= len(labels):
        raise StudyError(f"dataset.val_images is {count}, but there are only {len(labels)} training images")
    rng = np.random.default_rng(0)
    order = rng.permutation(len(labels))
    rank_in_class = np.empty(len(labels), dtype=np.int64)
    for label in range(classes):
        members = order[labels[order] == label]
        rank_in_class[members] = np.arange(len(members)) * len(labels) // max(len(members), 1)
    mask = np.zeros(len(labels), dtype=bool)
    mask[order[np.argsort(rank_in_class[order], kind="stable")[:count]]] = True
    return mask


def frame(images: Tensor, size: int) -> Tensor:
    """Bring uint8 images (N, C, H, H) to (N, C, size, size): a black border where up to a quarter is missing, as for
    28 px in 32, antialiased bilinear resizing otherwise."""
    side = images.shape[-1]
    if side <= size <= side * 5 // 4:
        before = (size - side) // 2
        return F.pad(images, (before, size - side - before) * 2)
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def pixel_statistics(images: np.ndarray | Tensor | shards.Shards) -> dict[str, Any]:
    """Mean and standard deviation by channel and the principal components of the pixels, on the [0, 1] scale.

    PCA as AlexNet's section 4.1 wants it: eigenvalues of the channels' covariance, largest first, eigenvectors as
    columns. Sums are exact integers, so that the figures depend on no order of summation.
    """
    channels = images.shape[1]
    total, products, pixels = np.zeros(channels, np.int64), np.zeros((channels, channels), np.int64), 0
    step = max(1, 2**23 // math.prod(images.shape[1:]))
    for start in range(0, len(images), step):
        # Whole numbers below 2**53 are exact in float64, and its products fast.
        part = images[start : start + step]
        part = np.asarray(part.to("cpu") if isinstance(part, shards.Shards) else part)
        chunk = np.moveaxis(part, 1, 0).reshape(channels, -1).astype(np.float64)
        total += chunk.sum(1).astype(np.int64)
        products += (chunk @ chunk.T).astype(np.int64)
        pixels += chunk.shape[1]
    mean = total / pixels / 255
    covariance = products / pixels / 255**2 - np.outer(mean, mean)
    values, vectors = np.linalg.eigh(covariance)
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(0), range(channels)] < 0, -1, 1)  # one sign for all
    rounded = {
        "mean": mean,
        "std": np.sqrt(np.diag(covariance)),
        "pca_values": values[::-1],
        "pca_vectors": vectors[:, ::-1],
    }
    return {key: np.round(value, 6).tolist() for key, value in rounded.items()}
