"""The data loaders that this project's resident batches are measured against, on one folder of small JPEG files.

Each has the settings that serve it best here: as many worker processes as cores, kept between epochs; uint8 images from
the workers, turned into standardised floats a batch at a time on the device, which moves a quarter of the bytes; pinned
memory with a GPU. The only augmentation is mirroring, if the recipe has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader

from ilsvrc_replay.datasets import imagefolder
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.packed.packed_data import Packed, Pixels
from ilsvrc_replay.prepare import pack_images
from ilsvrc_replay.tools.bench.stepping import Batch
from ilsvrc_replay.training import fit

SIDE, QUALITY = 64, 90  # px, and JPEG's
WORKERS = len(os.sched_getaffinity(0))
PREFETCH = 2  # batches a worker, PyTorch's default; more do not help a loader that is slower than the net
QUEUE = WORKERS * PREFETCH  # batches that lie ready at the start and must not count


def write_jpegs(packed: Packed, count: int, folder: Path) -> None:
    """`count` training images of `packed`, evenly spread, as colour JPEG files of SIDE px in the layout of ImageFolder.

    One of them stands in `test`, too, without which the packing would refuse the folder.
    """
    numbers = torch.arange(count) * len(packed.labels("train")) // count
    images, labels = packed.images("train").index_select(0, numbers), packed.labels("train")[numbers]
    for number, (image, label) in enumerate(zip(images.numpy(), labels.tolist(), strict=True)):
        picture = Image.fromarray(image.transpose(1, 2, 0).squeeze()).convert("RGB")
        picture = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        for split in ("train", "test") if number == 0 else ("train",):
            path = folder / split / f"{label:04d}" / f"{number:06d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, quality=QUALITY)


def pack_jpegs(folder: Path) -> Packed:
    """The folder as this project packs it."""
    raw, target = folder / "raw", folder / "packed"
    raw.mkdir()
    target.mkdir()
    imagefolder.acquire(raw, folder)
    pack_images.pack(imagefolder.read(raw, folder), "imagefolder", SIDE, 1, target)
    return packed_data.load(target)


def torchvision_batches(folder: Path, job: fit.Job, pixels: Pixels) -> Iterator[Batch]:
    """ImageFolder and DataLoader, epoch after epoch."""
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    flip = [v2.RandomHorizontalFlip()] if job.module.recipe.flip else []
    data = ImageFolder(str(folder / "train"), v2.Compose([*flip, v2.PILToTensor()]))
    loader = DataLoader(
        data,
        job.module.recipe.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        prefetch_factor=PREFETCH,
        persistent_workers=True,
        pin_memory=job.device.type == "cuda",
    )
    for images, labels in endless(loader):
        there = images.to(job.device, non_blocking=True, memory_format=torch.channels_last)
        yield pixels.standardise(there / 255), labels.to(job.device, non_blocking=True)


def timm_batches(folder: Path, job: fit.Job, pixels: Pixels) -> Iterator[Batch]:
    """timm's create_dataset and create_loader, with its prefetcher, epoch after epoch."""
    from timm.data import create_dataset, create_loader

    data = create_dataset("", root=str(folder), split="train")
    flip: dict[str, Any] = {"hflip": 0.5, "scale": (1, 1), "ratio": (1, 1), "color_jitter": None}
    loader = create_loader(
        data,
        (3, SIDE, SIDE),
        job.module.recipe.batch_size,
        is_training=True,
        mean=pixels.mean.tolist(),
        std=pixels.std.tolist(),
        num_workers=WORKERS,
        persistent_workers=True,
        pin_memory=job.device.type == "cuda",
        device=job.device,
        **(flip if job.module.recipe.flip else {"no_aug": True}),
    )
    for images, labels in endless(loader):
        yield images.contiguous(memory_format=torch.channels_last), labels


def endless(loader: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from loader


LOADERS = {"torchvision": torchvision_batches, "timm": timm_batches}
