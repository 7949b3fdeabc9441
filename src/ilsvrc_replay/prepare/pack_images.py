"""Pack image files: all cores decode them, chunk by chunk, and a packing that was killed goes on where it stopped.

Every image becomes a square by the rules of decoding.py. Their order depends on the names alone, so the packed bytes
are the same whatever the number of threads and however often the packing was killed. All images that cannot be used
are named, then the packing is refused: a study never trains or tests on fewer images than it says.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc_replay.errors import StudyError, one_line
from ilsvrc_replay.files import read_json, sha256, write_json
from ilsvrc_replay.originals import decoding
from ilsvrc_replay.originals.labelled_images import ImageFile, LabelledFiles
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.prepare import pack_arrays, stores
from ilsvrc_replay.prepare.stores import ArrayStore, Chunk, JpegStore
from ilsvrc_replay.runtime.progress_bar import progress_bar

CHUNK = 256  # images in a chunk, the unit that is done or not


def pack(
    originals: LabelledFiles,
    name: str,
    image_size: int,
    val_images: int,
    target: Path,
    threads: int | None = None,
    *,
    stored_size: int | None = None,
    storage: str = "auto",
) -> dict[str, Any]:
    """Write the packed form of `originals`, squares of `stored_size` px or else `image_size`, into the empty folder
    `target`, as arrays or as JPEGs; returns what meta.json holds.

    What is done is kept in a scratch folder beside `target` until `forget`. Raises StudyError as `fill` does.
    """
    labels = np.array([label for _, label in originals.train], dtype=np.int64)
    held_out = (
        pack_arrays.choose_val(labels, val_images, len(originals.classes)) if len(labels) else labels.astype(bool)
    )
    parts = {
        "train": [image for image, out in zip(originals.train, held_out, strict=True) if not out],
        "val": [image for image, out in zip(originals.train, held_out, strict=True) if out],
        "test": originals.test,
    }
    scratch, size = scratch_folder(target, name), stored_size or image_size
    counts = {split: len(members) for split, members in parts.items()}
    store = stores.STORES[stores.storage(storage, sum(counts.values()), size)](scratch, counts, size)
    pieces = list(chunks(originals, parts, size, store.spec))
    converted = fill(originals, pieces, size, store, scratch, name, threads or len(os.sched_getaffinity(0)))
    store.finish(pieces, target)
    for split, members in parts.items():
        np.save(target / f"{split}_labels.npy", np.array([label for _, label in members], dtype=np.int64))
    seen = "train" if parts["train"] else "test"  # whose pixels the statistics are of
    side = "stored_size" if stored_size else "image_size"
    meta = {
        "name": name,
        "classes": list(originals.classes),
        "channels": stores.CHANNELS,
        **pack_arrays.sizes(image_size, stored_size),
        "images": counts,
        "resized": f"shorter side to {side}, bilinear and antialiased, then the square in the centre",
        "converted": converted,
        "left_out": originals.ignored,
        "images_by_class": {split: by_class(members, len(originals.classes)) for split, members in parts.items()},
        "statistics_of": seen,
        **store.meta,
    }
    meta |= pack_arrays.pixel_statistics(packed_data.Packed(target, meta).images(seen))
    meta["sha256"] = {path.name: sha256(path) for path in sorted(target.iterdir())}
    write_json(target / "meta.json", meta)
    return meta


def by_class(members: list[ImageFile], classes: int) -> list[int]:
    """The number of images of each class."""
    return np.bincount([label for _, label in members], minlength=classes).tolist()


def scratch_folder(target: Path, name: str) -> Path:
    """Where an unfinished packing keeps what is done, beside `target`."""
    return target.parent / f".{name}.unfinished"


def forget(target: Path, name: str) -> None:
    """Remove the scratch folder, once `target` is in its place."""
    shutil.rmtree(scratch_folder(target, name), ignore_errors=True)


def fill(
    originals: LabelledFiles,
    pieces: list[Chunk],
    size: int,
    store: ArrayStore | JpegStore,
    scratch: Path,
    name: str,
    threads: int,
) -> dict[str, int]:
    """Fill what is still missing in the store; returns how many images were converted, by kind of conversion. Raises
    StudyError if images cannot be used, or if the disk is too small."""
    todo, converted, bad = [], Counter(), []
    for chunk in pieces:
        done = look_up(scratch, chunk, store)
        if done is None:
            todo.append(chunk)
        else:
            converted.update(done)
    total, left = (sum(len(chunk.members) for chunk in some) for some in (pieces, todo))
    # Decoding, resizing and hashing release Python's lock.
    with ThreadPoolExecutor(threads) as pool, progress_bar(name, total, total - left) as advance:
        try:
            running: list[Future] = [pool.submit(fill_chunk, originals, chunk, size, store, scratch) for chunk in todo]
            for future in as_completed(running):
                members, what, unusable = future.result()
                converted.update(what)
                bad += unusable
                advance(members)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if bad:
        for image, reason in sorted(bad):
            print(one_line(f"{image} {reason}"), file=sys.stderr)
        image, reason = min(bad)
        others = f" and {len(bad) - 1} others, named above," if len(bad) > 1 else ""
        raise StudyError(f"{name}: {image} {reason}; put the original in place of it{others} or remove it")
    return dict(sorted(converted.items()))


def chunks(originals: LabelledFiles, parts: dict[str, list[ImageFile]], size: int, spec: str = "") -> Iterator[Chunk]:
    """The splits in chunks; the key of each changes with its files, their order, the size and the kind of store."""
    for split, members in parts.items():
        for start in range(0, len(members), CHUNK):
            part = members[start : start + CHUNK]
            digest = hashlib.sha256(f"{decoding.VERSION} {size} {len(members)}{spec}".encode())
            for image, _ in part:
                digest.update(f"\n{image}\t{originals.files.key(image)}".encode(errors="surrogateescape"))
            yield Chunk(split, start, part, digest.hexdigest())


def fill_chunk(
    originals: LabelledFiles, chunk: Chunk, size: int, store: ArrayStore | JpegStore, scratch: Path
) -> tuple[int, dict[str, int], list[tuple[str, str]]]:
    """Decode a chunk into its place and note that it is done, unless some of its images cannot be used. Returns the
    number of images, how many were converted by kind, and the unusable ones with the reason."""
    converted, bad, kept = Counter(), [], []
    for place, (image, _) in enumerate(chunk.members):
        try:
            pixels, done = decoding.square(originals.files.read(image), image, size)
            kept.append(store.keep(chunk, place, pixels))
            converted.update(done)
        except decoding.ImageError as error:
            bad.append((image, str(error)))
    if not bad:
        store.close(chunk, kept)
        written = {"key": chunk.key, "sha256": store.digest(chunk), "converted": dict(converted)}
        write_json(note(scratch, chunk), written)
    return len(chunk.members), dict(converted), bad


def look_up(scratch: Path, chunk: Chunk, store: ArrayStore | JpegStore) -> dict[str, int] | None:
    """What was converted in a chunk that is done; None if it is not, or if its pixels were lost in a power cut."""
    try:
        done = read_json(note(scratch, chunk))
        whole = done["key"] == chunk.key and done["sha256"] == store.digest(chunk)
        return done["converted"] if whole else None
    except (StudyError, KeyError):
        return None


def note(scratch: Path, chunk: Chunk) -> Path:
    """The file that says that a chunk is done."""
    return scratch / chunk.split / f"{chunk.start:08d}.json"
