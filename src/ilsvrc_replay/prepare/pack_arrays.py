"""Pack a data set that is published as arrays: choose val, bring the images to size, measure the training pixels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import sha256, write_json
from ilsvrc_replay.originals.labelled_images import LabelledArrays
from ilsvrc_replay.packed import shards

SPLITS = ("train", "val", "test")


def pack(
    original: LabelledArrays,
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
    """A mask of `count` training images to hold out, always the same ones, the same share of every class. Raises
    StudyError if that leaves none."""
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


def pixel_statistics(images: np.ndarray | Tensor | shards.ShardedImages) -> dict[str, Any]:
    """Mean and standard deviation by channel and the principal components of the pixels, on the [0, 1] scale.

    The components are those of AlexNet's section 4.1: eigenvalues of the channels' covariance, largest first, and
    eigenvectors as columns. Sums are exact integers, so that the figures depend on no order of summation.
    """
    channels = images.shape[1]
    total, products, pixels = np.zeros(channels, np.int64), np.zeros((channels, channels), np.int64), 0
    step = max(1, 2**23 // math.prod(images.shape[1:]))
    for start in range(0, len(images), step):
        # Whole numbers below 2**53 are exact in float64, and its products fast.
        part = images[start : start + step]
        part = np.asarray(part.to("cpu") if isinstance(part, shards.ShardedImages) else part)
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
