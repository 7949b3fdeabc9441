"""The data sets by name: each module offers `acquire(target, folder)` and `read(raw, folder)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilsvrc_replay.data import (
    cifar10,
    digits,
    fashion_mnist,
    imagefolder,
    imagenet,
    imagenet_val,
    packing,
    picture_packing,
    tiny_imagenet,
)
from ilsvrc_replay.data.original import Original, Pictures
from ilsvrc_replay.params import Dataset

DATASETS = {
    "fashion-mnist": fashion_mnist,
    "digits": digits,
    "cifar10": cifar10,
    "tiny-imagenet": tiny_imagenet,
    "imagefolder": imagefolder,
    "imagenet": imagenet,
    "imagenet-val": imagenet_val,
}


def acquire(dataset: Dataset, target: Path) -> str:
    """Put what the data set needs into the empty folder `target`; returns the source's name."""
    return DATASETS[dataset.name].acquire(target, given(dataset))


def read(dataset: Dataset, raw: Path) -> Original | Pictures:
    """The originals, from `raw` and, where large files stay where they are, the folder that the study names."""
    return DATASETS[dataset.name].read(raw, given(dataset))


def pack(dataset: Dataset, raw: Path, target: Path) -> dict[str, Any]:
    """Write the packed form into the empty folder `target`; returns what meta.json holds."""
    original = read(dataset, raw)
    pack_kind = picture_packing.pack if isinstance(original, Pictures) else packing.pack
    return pack_kind(
        original,
        dataset.name,
        dataset.image_size,
        dataset.val_images,
        target,
        stored_size=dataset.stored_size,
        storage=dataset.storage,
    )


def given(dataset: Dataset) -> Path | None:
    return Path(dataset.folder).expanduser() if dataset.folder else None
