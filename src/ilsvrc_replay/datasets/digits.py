"""Digits: 1,797 handwritten digits, 8 x 8 grey, 10 classes; part of scikit-learn, and so here without any network.

The test half of "Optical recognition of handwritten digits" (Alpaydin & Kaynak 1998), UCI repository, CC BY 4.0. Too
small to say anything about history: for trying things out, and for the tests.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import fetch
from ilsvrc_replay.originals.labelled_images import LabelledArrays

CHECKSUMS = {"digits.csv": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"}
SHAPE = (1797, 65)  # 64 pixels and the label
TEST_IMAGES = 500  # the last ones: other writers than most of the training images


def acquire(target: Path, folder: Path | None) -> str:
    """Put digits.csv into `target`, from `folder` if one is named; returns the name of the source."""
    inside = Path(find_spec("sklearn").origin).parent / "datasets/data"  # found without importing scikit-learn
    name = "scikit-learn" if folder is None else "dataset.folder"
    return fetch.acquire("digits", CHECKSUMS, {name: fetch.from_folder(folder or inside)}, target)


def read(folder: Path, _given: Path | None = None) -> LabelledArrays:
    """The original arrays; grey values 0..16 stretched to 0..255. Raises StudyError if the file is not what it was."""
    path = folder / "digits.csv"
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} cannot be read ({error}): run `dvc repro --force acquire`") from None
    if table.shape != SHAPE:
        raise StudyError(f"{path} is damaged: its table is {table.shape} and should be {SHAPE}")
    images = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    labels = table[:, -1].astype(np.int64)
    return LabelledArrays(
        train_images=images[:-TEST_IMAGES],
        train_labels=labels[:-TEST_IMAGES],
        test_images=images[-TEST_IMAGES:],
        test_labels=labels[-TEST_IMAGES:],
        classes=tuple("0123456789"),
    )
