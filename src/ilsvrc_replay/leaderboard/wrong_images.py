"""The file wrong.npz: which test images every row of a board has wrong, a bit each, for comparisons image by image.

It has some kilobytes and is in git, unlike the predictions, so that any two commits, experiments or copied results
folders can be compared.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from ilsvrc_replay import files

FILE = "wrong.npz"
Key = tuple[str, str, str]  # entry, kind and protocol, as in the board's rows


class WrongImages(NamedTuple):
    """The images wrong by top-1, a mask (S, N) by seed and image for each row, and the checksum of their labels."""

    labels_sha256: str
    masks: Mapping[Key, np.ndarray]


def checksum(labels: np.ndarray) -> str:
    """The sha256 of labels (N,), whatever integers hold them."""
    return hashlib.sha256(np.ascontiguousarray(labels, dtype="<i8").tobytes()).hexdigest()


def write(path: Path, wrong: WrongImages) -> None:
    """Write what `read` reads. Equal masks give equal bytes."""
    images = np.array([mask.shape[1] for mask in wrong.masks.values()], dtype="<i8")
    arrays: dict[str, Any] = {"/".join(key): np.packbits(mask, axis=1) for key, mask in wrong.masks.items()}
    files.write_npz(path, {"images": images, "labels_sha256": np.array(wrong.labels_sha256), **arrays})


def read(content: bytes) -> WrongImages:
    """What `write` wrote, from the bytes of its file. Raises ValueError, with one line, if it is no such file."""
    try:
        with np.load(io.BytesIO(content)) as saved:
            names = [name for name in saved.files if "/" in name]
            masks = {
                tuple(name.rsplit("/", 2)): np.unpackbits(saved[name], axis=1, count=int(images)).astype(bool)
                for name, images in zip(names, saved["images"], strict=True)
            }
            return WrongImages(saved["labels_sha256"].item(), masks)
    except (BadZipFile, zlib.error, AttributeError, EOFError, LookupError, OSError, TypeError, ValueError):
        raise ValueError(f"{FILE} is damaged") from None
