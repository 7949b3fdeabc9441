"""manifest.csv, which stands in data/raw for image files that stay where the user has them: name, bytes, checksum.

DVC tracks this one small file in place of a million others. Names are relative, so that it is the same wherever the
files lie; whoever reads a file verifies it against the manifest.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import check_size, files_below, name_of, open_file, path_of, whole_file
from ilsvrc_replay.originals.archives import LARGEST_FILE
from ilsvrc_replay.runtime.progress_bar import progress_bar

MANIFEST = "manifest.csv"
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def write(
    target: Path, root: Path, names: Iterable[str], what: str, archives: Mapping[str, str] = MappingProxyType({})
) -> None:
    """List the files `names` under `root` in `target`, with their sha256; those of `archives` with the md5 given there.

    Raises StudyError naming a file that cannot be read or is too large, or an archive that has another md5.
    """
    names = sorted(names)
    with (
        whole_file(target / MANIFEST) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
        progress_bar(f"{what}, checksums", len(names)) as advance,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("name", "bytes", "checksum"))
        try:
            rows = pool.map(lambda name: describe(root / path_of(name), archives.get(name)), names)
            for name, row in zip(names, rows, strict=True):
                table.writerow((name, *row))
                advance(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def describe(path: Path, md5: str | None) -> tuple[int, str]:
    """Bytes and checksum: the sha256, or `md5`. Raises StudyError if the file cannot be read or has another md5, and
    if it has over LARGEST_FILE bytes where none is given."""
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if md5 is None:
            check_size(path, size, LARGEST_FILE)
        found = hashlib.file_digest(file, "md5" if md5 else "sha256").hexdigest()
    if md5 not in (None, found):
        raise StudyError(f"{path} is damaged or not the original: its md5 is {found}, not {md5}")
    return size, found


def read(raw: Path) -> dict[str, str]:
    """The checksum of every file by name."""
    with (raw / MANIFEST).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return {row["name"]: row["checksum"] for row in csv.DictReader(file)}


def names_below(root: Path, folders: Iterable[str]) -> list[str]:
    """Names, relative to `root`, of all files below some of its folders, as `files.files_below` finds them."""
    return [name_of(path.relative_to(root)) for top in folders for path in files_below(root / top)]


def is_image(name: str) -> bool:
    """By the name's suffix alone."""
    return name.lower().endswith(IMAGES)
