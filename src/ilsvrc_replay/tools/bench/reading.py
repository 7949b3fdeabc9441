"""The time that an image of a shard takes: to read, which another format could save, and to decode."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from ilsvrc_replay.packed.shards import SHARD, ShardFiles, encode, shard_name


def costs(count: int, size: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Microseconds an image, in one thread and a random order, of `count` drawn JPEGs of `size` px: read as files of
    their own, read out of a shard, and decoded. Writes them into the empty `folder`."""
    rng = np.random.default_rng(0)
    contents = [encode(drawn(rng, size)) for _ in range(count)]
    for number, content in enumerate(contents):
        (folder / f"{number:06d}.jpg").write_bytes(content)
        with (folder / shard_name("train", number // SHARD)).open("ab") as file:
            file.write(content)
    lengths = np.array([len(content) for content in contents], np.int64)
    np.save(folder / "train_offsets.npy", np.concatenate([[0], lengths.cumsum()]))
    shard = ShardFiles(folder, "train", count, size, SHARD)
    order = rng.permutation(count).tolist()
    ways: dict[str, Callable[[int], object]] = {
        "file": lambda number: (folder / f"{number:06d}.jpg").read_bytes(),
        "shard": lambda number: bytes(shard.content(number)),
        "decode": lambda number: np.asarray(Image.open(BytesIO(contents[number]))),
    }
    taken = {name: median(timed(way, order) for _ in range(rounds)) for name, way in ways.items()}
    return {"images": count, "image_size": size, "bytes": int(lengths.mean())} | {
        f"{name}_us": round(1e6 * seconds / count, 2) for name, seconds in taken.items()
    }


def drawn(rng: np.random.Generator, size: int) -> np.ndarray:
    """uint8 (3, S, S): smooth colours with some grain, which a JPEG stores in about as many bytes as a photograph."""
    coarse = Image.fromarray(rng.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32)
    return (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8).transpose(2, 0, 1)


def timed(way: Callable[[int], object], order: list[int]) -> float:
    started = time.perf_counter()
    for number in order:
        way(number)
    return time.perf_counter() - started
