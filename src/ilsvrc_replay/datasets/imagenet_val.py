"""ImageNet's validation images alone, enough to test published weights. imagenet.py describes the layouts."""

from __future__ import annotations

from pathlib import Path

from ilsvrc_replay.datasets import imagenet
from ilsvrc_replay.originals.labelled_images import LabelledFiles


def acquire(target: Path, folder: Path | None) -> str:
    return imagenet.acquire(target, folder, parts=("val",))


def read(raw: Path, folder: Path | None = None) -> LabelledFiles:
    return imagenet.read(raw, folder, parts=("val",))
