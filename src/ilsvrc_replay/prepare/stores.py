"""Where a packing puts its pixels: into arrays, or into JPEG files by chunk that are joined to shards at the end."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals.labelled_images import ImageFile
from ilsvrc_replay.packed import shards

CHANNELS = 3
LARGEST_ARRAYS = 16_000_000_000  # bytes of all splits: above, `storage: auto` is JPEGs


@dataclass(frozen=True)
class Chunk:
    """Consecutive images of a split. `key` is a digest of all that decides their bytes."""

    split: str
    start: int
    members: list[ImageFile]
    key: str


def storage(kind: str, images: int, size: int) -> str:
    """array or jpeg; auto is array unless that takes more than LARGEST_ARRAYS bytes."""
    if kind != "auto":
        return kind
    return "jpeg" if images * CHANNELS * size * size > LARGEST_ARRAYS else "array"


class ArrayStore:
    """One memory-mapped uint8 array (N, 3, S, S) for each split, which chunks fill in any order."""

    spec = ""  # what decides the bytes beside the images; part of the chunks' keys

    def __init__(self, scratch: Path, counts: dict[str, int], size: int) -> None:
        self.scratch, self.meta = scratch, {}
        self.arrays = {split: reserve(scratch / f"{split}_images.npy", count, size) for split, count in counts.items()}

    def keep(self, chunk: Chunk, place: int, pixels: np.ndarray) -> bytes:
        self.arrays[chunk.split][chunk.start + place] = pixels
        return b""

    def close(self, chunk: Chunk, kept: list[bytes]) -> None:
        pass

    def digest(self, chunk: Chunk) -> str:
        part = self.arrays[chunk.split][chunk.start : chunk.start + len(chunk.members)]
        return hashlib.sha256(part).hexdigest()

    def finish(self, chunks: list[Chunk], target: Path) -> None:
        for split in self.arrays:
            link(self.scratch / f"{split}_images.npy", target / f"{split}_images.npy")


class JpegStore:
    """A file for each chunk: the lengths of its JPEGs, int64, then the JPEGs; joined to shards at the end."""

    spec = f" jpeg {shards.QUALITY} {shards.SUBSAMPLING}"

    def __init__(self, scratch: Path, counts: dict[str, int], size: int) -> None:
        self.scratch, self.counts = scratch, counts
        self.meta = {
            "storage": {
                "kind": "jpeg",
                "quality": shards.QUALITY,
                "subsampling": shards.SUBSAMPLING,
                "images_in_shard": shards.SHARD,
            }
        }

    def keep(self, chunk: Chunk, place: int, pixels: np.ndarray) -> bytes:
        return shards.encode(pixels)

    def file(self, chunk: Chunk) -> Path:
        return self.scratch / chunk.split / f"{chunk.start:08d}.jpegs"

    def close(self, chunk: Chunk, kept: list[bytes]) -> None:
        self.file(chunk).parent.mkdir(parents=True, exist_ok=True)
        lengths = np.array([len(content) for content in kept], "<i8").tobytes()
        try:
            self.file(chunk).write_bytes(lengths + b"".join(kept))
        except OSError as error:
            raise StudyError(
                f"{self.file(chunk)} cannot be written ({error.strerror}): make room on the disk"
            ) from None

    def digest(self, chunk: Chunk) -> str:
        """Raises StudyError if the chunk has no file."""
        try:
            return hashlib.sha256(self.file(chunk).read_bytes()).hexdigest()
        except OSError as error:
            raise StudyError(f"{self.file(chunk)} cannot be read ({error.strerror})") from None

    def finish(self, chunks: list[Chunk], target: Path) -> None:
        for split, count in self.counts.items():
            lengths = np.zeros(count, np.int64)
            for chunk in (chunk for chunk in chunks if chunk.split == split):
                content, members = self.file(chunk).read_bytes(), len(chunk.members)
                lengths[chunk.start : chunk.start + members] = np.frombuffer(content, "<i8", members)
                name = shards.shard_name(split, chunk.start // shards.SHARD)  # a chunk never lies in two shards
                with (target / name).open("ab") as file:
                    file.write(content[8 * members :])
            np.save(target / f"{split}_offsets.npy", np.concatenate([[0], lengths.cumsum()]).astype(np.int64))


STORES = {"array": ArrayStore, "jpeg": JpegStore}


def link(source: Path, target: Path) -> None:
    """A hard link, or a copy where there are none."""
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def reserve(path: Path, count: int, size: int) -> np.ndarray:
    """The images' file, memory-mapped, its disk space allocated; what an earlier packing wrote into it is kept. Raises
    StudyError if the disk is too small."""
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
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)  # a full disk shows now, not as a crash later
    return array
