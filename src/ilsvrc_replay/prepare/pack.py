"""Pack a data set, whether it is published as arrays or as image files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.originals.labelled_images import LabelledFiles
from ilsvrc_replay.prepare import pack_arrays, pack_images


def pack(dataset: Dataset, raw: Path, target: Path) -> dict[str, Any]:
    """Write the packed form into the empty folder `target`; returns what meta.json holds."""
    originals = dataset.read(raw)
    pack_kind = pack_images.pack if isinstance(originals, LabelledFiles) else pack_arrays.pack
    return pack_kind(
        originals,
        dataset.name,
        dataset.image_size,
        dataset.val_images,
        target,
        stored_size=dataset.stored_size,
        storage=dataset.storage,
    )
