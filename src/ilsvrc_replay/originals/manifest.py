"""manifest.csv, which stands in data/raw for image files that stay where the user has them: name, bytes, checksum.

DVC tracks this one small file in place of a million others. Names are relative, so that it is the same wherever the
files lie; whoever reads a file verifies it against the manifest.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import checksum, whole_file
from ilsvrc_replay.runtime.progress_bar import progress_bar

MANIFEST = "manifest.csv"
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def write(
    target: Path, root: Path, names: Iterable[str], what: str, archives: Mapping[str, str] = MappingProxyType({})
) -> None:
    """List the files `names` under `root` in `target`, with their sha256; those of `archives` with the md5 given there.

    Raises StudyError naming a file that cannot be read, or an archive that has another md5.
    """
    names = sorted(names)
    with (
        whole_file(target / MANIFEST) as partial,
        partial.open("w", newline="", errors="surrogateescape") as file,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
        progress_bar(f"{what}, checksums", len(names)) as advance,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("name", "bytes", "checksum"))
        try:
            rows = pool.map(lambda name: describe(root / name, archives.get(name)), names)
            for name, row in zip(names, rows, strict=True):
                table.writerow((name, *row))
                advance(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def describe(path: Path, md5: str | None) -> tuple[int, str]:
    """Bytes and checksum: the sha256, or `md5`. Raises StudyError if the file cannot be read or has another md5."""
    try:
        size, found = path.stat().st_size, checksum(path, "md5" if md5 else "sha256")
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from None
    if md5 not in (None, found):
        raise StudyError(f"{path} is damaged or not the original: its md5 is {found}, not {md5}")
    return size, found


def read(raw: Path) -> dict[str, str]:
    """The checksum of every file by name."""
    with (raw / MANIFEST).open(newline="", errors="surrogateescape") as file:
        return {row["name"]: row["checksum"] for row in csv.DictReader(file)}


def files_below(root: Path, folders: Iterable[str]) -> list[str]:
    """Names, relative to `root`, of all files below some of its folders: none hidden, links to folders followed."""
    names = []
    for top in folders:
        for folder, inner, files in os.walk(root / top, followlinks=True):
            inner[:] = [name for name in inner if not name.startswith(".")]
            place = Path(folder).relative_to(root)
            names += [(place / name).as_posix() for name in files if not name.startswith(".")]
    return names


def is_image(name: str) -> bool:
    """By the name's suffix alone."""
    return name.lower().endswith(IMAGES)
