"""Pack image files: decoded by all cores, chunk by chunk, into files that a killed packing goes on to fill.

Every image becomes a square by the rules of decoding.py, whose order and place depend on the names alone: the packed
bytes are the same whatever the number of threads, and however often the packing was killed. Images that cannot be
used are all named, then the packing is refused: a study never trains or tests on fewer images than it says.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc_replay.data import counter, decoding, packing
from ilsvrc_replay.data.original import Picture, Pictures
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_json, sha256, write_json

CHANNELS, CHUNK = 3, 256  # images in a chunk, the unit that is done or not


def pack(
    pictures: Pictures, name: str, image_size: int, val_images: int, target: Path, threads: int | None = None
) -> dict[str, Any]:
    """Write the packed form of `pictures` into the empty folder `target`; returns what meta.json holds.

    Beside `target` a scratch folder keeps what is done until `forget`.
    """
    labels = np.array([label for _, label in pictures.train], dtype=np.int64)
    held_out = packing.choose_val(labels, val_images, len(pictures.classes)) if len(labels) else labels.astype(bool)
    parts = {
        "train": [picture for picture, out in zip(pictures.train, held_out, strict=True) if not out],
        "val": [picture for picture, out in zip(pictures.train, held_out, strict=True) if out],
        "test": pictures.test,
    }
    scratch = scratch_folder(target, name)
    converted = fill(pictures, parts, image_size, scratch, name, threads or len(os.sched_getaffinity(0)))
    for split, members in parts.items():
        link(scratch / f"{split}_images.npy", target / f"{split}_images.npy")
        np.save(target / f"{split}_labels.npy", np.array([label for _, label in members], dtype=np.int64))
    seen = "train" if parts["train"] else "test"  # whose pixels the statistics are of
    meta = {
        "name": name,
        "classes": list(pictures.classes),
        "channels": CHANNELS,
        "image_size": image_size,
        "images": {split: len(members) for split, members in parts.items()},
        "resized": "shorter side to image_size, bilinear and antialiased, then the square in the centre",
        "converted": converted,
        "left_out": pictures.ignored,
        "images_by_class": {split: by_class(members, len(pictures.classes)) for split, members in parts.items()},
        "statistics_of": seen,
        **packing.pixel_statistics(np.load(target / f"{seen}_images.npy", mmap_mode="r")),
        "sha256": {path.name: sha256(path) for path in sorted(target.glob("*.npy"))},
    }
    write_json(target / "meta.json", meta)
    return meta


def by_class(members: list[Picture], classes: int) -> list[int]:
    return np.bincount([label for _, label in members], minlength=classes).tolist()


def scratch_folder(target: Path, name: str) -> Path:
    return target.parent / f".{name}.unfinished"


def forget(target: Path, name: str) -> None:
    """Remove the scratch folder, once `target` is in its place."""
    shutil.rmtree(scratch_folder(target, name), ignore_errors=True)


def link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


@dataclass(frozen=True)
class Chunk:
    """A stretch of a split's images. `key` stands for all that decides its bytes."""

    split: str
    start: int
    members: list[Picture]
    key: str


def fill(
    pictures: Pictures, parts: dict[str, list[Picture]], size: int, scratch: Path, name: str, threads: int
) -> dict[str, int]:
    """Fill the images' files in `scratch` where they are not done yet; returns how many images were converted, by what
    was done. Raises StudyError if there are images that cannot be used, or if the disk is too small."""
    arrays = {split: reserve(scratch / f"{split}_images.npy", len(members), size) for split, members in parts.items()}
    todo, converted, bad = [], Counter(), []
    for chunk in chunks(pictures, parts, size):
        done = look_up(scratch, chunk, arrays[chunk.split])
        if done is None:
            todo.append(chunk)
        else:
            converted.update(done)
    total = sum(map(len, parts.values()))
    progress = counter.Counter(name, total, total - sum(len(chunk.members) for chunk in todo))
    with ThreadPoolExecutor(threads) as pool:  # decoding, resizing and hashing leave Python's lock to others
        try:
            running: list[Future] = [
                pool.submit(fill_chunk, pictures, chunk, size, arrays[chunk.split], scratch) for chunk in todo
            ]
            for future in as_completed(running):
                members, what, unusable = future.result()
                converted.update(what)
                bad += unusable
                progress.add(members)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    progress.end()
    if bad:
        for image, reason in sorted(bad):
            print(f"{image} {reason}", file=sys.stderr)
        image, reason = min(bad)
        others = f" and {len(bad) - 1} others, named above," if len(bad) > 1 else ""
        raise StudyError(f"{name}: {image} {reason}; put the original in place of it{others} or remove it")
    return dict(sorted(converted.items()))


def chunks(pictures: Pictures, parts: dict[str, list[Picture]], size: int) -> Iterator[Chunk]:
    for split, members in parts.items():
        for start in range(0, len(members), CHUNK):
            part = members[start : start + CHUNK]
            digest = hashlib.sha256(f"{decoding.VERSION} {size} {len(members)}".encode())
            for image, _ in part:
                digest.update(f"\n{image}\t{pictures.files.key(image)}".encode(errors="surrogateescape"))
            yield Chunk(split, start, part, digest.hexdigest())


def fill_chunk(
    pictures: Pictures, chunk: Chunk, size: int, array: np.ndarray, scratch: Path
) -> tuple[int, dict[str, int], list[tuple[str, str]]]:
    """Decode a chunk into its place and note that it is done, unless images of it cannot be used. Returns their number
    with what was converted and what is unusable."""
    converted, bad = Counter(), []
    for place, (image, _) in enumerate(chunk.members, chunk.start):
        try:
            array[place], done = decoding.square(pictures.files.read(image), image, size)
            converted.update(done)
        except decoding.PictureError as error:
            bad.append((image, str(error)))
    if not bad:
        written = {"key": chunk.key, "sha256": digest_of(array, chunk), "converted": dict(converted)}
        write_json(note(scratch, chunk), written)
    return len(chunk.members), dict(converted), bad


def look_up(scratch: Path, chunk: Chunk, array: np.ndarray) -> dict[str, int] | None:
    """What was converted in a chunk that is done; None if it is not, or if a power cut took its pixels."""
    try:
        done = read_json(note(scratch, chunk))
        whole = done["key"] == chunk.key and done["sha256"] == digest_of(array, chunk)
        return done["converted"] if whole else None
    except (StudyError, KeyError):
        return None


def digest_of(array: np.ndarray, chunk: Chunk) -> str:
    return hashlib.sha256(array[chunk.start : chunk.start + len(chunk.members)]).hexdigest()


def note(scratch: Path, chunk: Chunk) -> Path:
    return scratch / chunk.split / f"{chunk.start:08d}.json"


def reserve(path: Path, count: int, size: int) -> np.ndarray:
    """The images' file, mapped, with room on the disk for all of them; what an earlier packing wrote is kept."""
    shape = (count, CHANNELS, size, size)
    try:
        if path.is_file() and (count and (kept := np.load(path, mmap_mode="r+")).shape == shape):
            return kept
    except (ValueError, EOFError):
        pass  # killed while it was made
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path.parent / path.name.removesuffix("_images.npy"), ignore_errors=True)  # its chunks' notes
    if not count:
        np.save(path, np.empty(shape, np.uint8))
        return np.load(path)
    needed = count * CHANNELS * size * size
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise StudyError(
            f"{path.parent.parent} needs {needed / 1e9:.1f} GB for {path.name}, and {free / 1e9:.1f} are free"
        )
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)  # a full disk shows now, and not as a crash later
    return array
