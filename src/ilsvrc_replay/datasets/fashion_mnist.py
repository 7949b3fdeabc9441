"""Fashion-MNIST: 60,000 + 10,000 photographs of clothing, 28 x 28 grey, 10 classes, MIT licence.

Xiao, Rasul, Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms".
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import fetch
from ilsvrc_replay.originals.labelled_images import LabelledArrays

CHECKSUMS = {  # sha256 of the uncompressed files
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
MIRROR = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"  # the authors', as torchvision has it
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def acquire(target: Path, folder: Path | None) -> str:
    """Put the four files into `target`, from `folder` if one is named; returns the name of the source."""
    if folder is not None:
        tried = {"dataset.folder": fetch.from_folder(folder)}
    else:
        tried = {
            "the authors' mirror": fetch.from_mirror(MIRROR),
            "the package dataset-fashion-mnist": fetch.from_debian_package(
                "dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"
            ),
        }
    return fetch.acquire("fashion-mnist", CHECKSUMS, tried, target)


def read(folder: Path, _given: Path | None = None) -> LabelledArrays:
    """The original arrays from the four verified files."""
    return LabelledArrays(
        train_images=read_idx(folder / "train-images-idx3-ubyte")[:, None],
        train_labels=read_idx(folder / "train-labels-idx1-ubyte").astype(np.int64),
        test_images=read_idx(folder / "t10k-images-idx3-ubyte")[:, None],
        test_labels=read_idx(folder / "t10k-labels-idx1-ubyte").astype(np.int64),
        classes=CLASSES,
    )


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes in the IDX format of MNIST: two zero bytes, type 8, rank, then the shape, big-endian.

    Raises StudyError if the file is missing, of another format, or not as long as its shape says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(f"{path} cannot be read ({error.strerror}): run `dvc repro --force acquire`") from None
    start = 4 + 4 * content[3] if content[:3] == b"\x00\x00\x08" and len(content) > 3 else None
    if start is None or len(content) < start:
        raise StudyError(f"{path} is no IDX file of bytes: run `dvc repro --force acquire`")
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4).tolist()
    if len(content) - start != math.prod(shape):
        raise StudyError(
            f"{path} is damaged: it should hold {math.prod(shape):,} values and holds {len(content) - start:,}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
