"""Which test images every row of a board has wrong, in bits: what a fair comparison needs once predictions are gone.

One file of some kilobytes, small enough for git, so that any two commits, experiments or copied results folders can be
compared image by image.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ilsvrc_replay import files

FILE = "wrong.npz"
Key = tuple[str, str, str]  # entry, kind and protocol, as in the board's rows


class Wrong(NamedTuple):
    """The top-1 mistakes by row, masks (S, N) by seed and image, and the checksum of the images' labels."""

    labels_sha256: str
    masks: dict[Key, np.ndarray]


def write(path: Path, labels: np.ndarray, masks: Mapping[Key, np.ndarray]) -> None:
    """Write `masks` (S, N) of a test with these `labels`, one bit an image; the same bytes for the same masks."""
    images = np.array([mask.shape[1] for mask in masks.values()], dtype="<i8")
    arrays: dict[str, Any] = {"/".join(key): np.packbits(mask, axis=1) for key, mask in masks.items()}
    labels = np.ascontiguousarray(labels, dtype="<i8")
    digest = hashlib.sha256(labels.tobytes()).hexdigest()
    files.write_npz(path, {"images": images, "labels_sha256": np.array(digest), **arrays})


def read(content: bytes) -> Wrong:
    """What `write` wrote, from the bytes of its file."""
    with np.load(io.BytesIO(content)) as saved:
        names = [name for name in saved.files if "/" in name]
        masks = {
            tuple(name.rsplit("/", 2)): np.unpackbits(saved[name], axis=1, count=int(images)).astype(bool)
            for name, images in zip(names, saved["images"], strict=True)
        }
        return Wrong(saved["labels_sha256"].item(), masks)
