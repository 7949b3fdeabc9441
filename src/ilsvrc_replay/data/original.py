"""What every data set offers: its original images and labels, read and checked, as arrays or as image files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ilsvrc_replay.data.containers import Files


@dataclass(frozen=True)
class Original:
    """A data set as its authors published it. Images are uint8 (N, C, H, W), labels int64 (N,)."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]


class Picture(NamedTuple):
    """An image file by its name in `Pictures.files`, and its class."""

    name: str
    label: int


@dataclass(frozen=True)
class Pictures:
    """A data set of image files of any size and mode. `train` is empty where there are only images to test on.

    `ignored` counts by reason the files that are there and take no part.
    """

    files: Files
    train: list[Picture]
    test: list[Picture]
    classes: tuple[str, ...]
    ignored: dict[str, int] = field(default_factory=dict)
