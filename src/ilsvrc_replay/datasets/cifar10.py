"""CIFAR-10: 50,000 + 10,000 photographs, 32 x 32 in colour, 10 classes.

Krizhevsky 2009, "Learning multiple layers of features from tiny images"; the "python version", six pickled batches.
Reading a pickle can run any code, so the checksums are verified first, and then the reader accepts nothing but arrays.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import fetch
from ilsvrc_replay.originals.labelled_images import LabelledArrays

TRAIN, TEST, META = tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",), "batches.meta"
CHECKSUMS = {  # md5 of the unpacked files, as torchvision has them
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    META: "5ff9c542aee3614f3951f8cda6e48888",
}
TAR, INSIDE = "cifar-10-python.tar.gz", "cifar-10-batches-py"
MIRROR = f"https://www.cs.toronto.edu/~kriz/{TAR}"
SHAPE = (3, 32, 32)
RECONSTRUCT = np.empty(0).__reduce__()[0]  # what makes an array out of a pickled one


def acquire(target: Path, folder: Path | None) -> str:
    """Put the seven files into `target`, from `folder` (unpacked, or the tar.gz) or from the author's page; returns
    the name of the source."""
    if folder is None:
        return fetch.acquire("cifar10", CHECKSUMS, {"the author's page": fetch.from_tar_at(MIRROR, INSIDE)}, target)
    if (folder / TAR).exists():
        source = fetch.from_tar(folder / TAR, INSIDE)
    else:
        source = fetch.from_folder(folder / INSIDE if (folder / INSIDE).is_dir() else folder)
    return fetch.acquire("cifar10", CHECKSUMS, {"dataset.folder": source}, target)


def read(raw: Path, _folder: Path | None = None) -> LabelledArrays:
    """The original arrays. Raises StudyError naming the file that does not hold what it should."""
    names = tuple(name.decode() for name in load(raw / META)[b"label_names"])
    train_images, train_labels = batches(raw, TRAIN, len(names))
    test_images, test_labels = batches(raw, TEST, len(names))
    return LabelledArrays(train_images, train_labels, test_images, test_labels, names)


def batches(raw: Path, names: tuple[str, ...], classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 3, 32, 32) and labels (N,) of some batches. Raises StudyError if they do not fit."""
    images, labels = [], []
    for name in names:
        content = load(raw / name)
        images.append(np.asarray(content[b"data"], dtype=np.uint8).reshape(-1, *SHAPE))
        labels.append(np.asarray(content[b"labels"], dtype=np.int64))
        if len(images[-1]) != len(labels[-1]) or not ((labels[-1] >= 0) & (labels[-1] < classes)).all():
            raise StudyError(f"cifar10: the labels of {name} do not fit its images or the {classes} classes")
    return np.concatenate(images), np.concatenate(labels)


def load(path: Path) -> dict[bytes, Any]:
    """A pickled batch. Raises StudyError if it holds anything but plain values and arrays."""
    try:
        with path.open("rb") as file:
            return ArrayUnpickler(file, encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise StudyError(f"cifar10: {path.name} cannot be read: {error}") from None


class ArrayUnpickler(pickle.Unpickler):
    """Calls what a pickled array of numbers needs, and nothing else."""

    ALLOWED = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it wants to call {module}.{name}")
        return self.ALLOWED[module, name]
