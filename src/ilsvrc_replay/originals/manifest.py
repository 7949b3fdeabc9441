"""The list that stands in data/raw for image files that stay where the user has them: name, bytes, checksum.

DVC tracks this one small file in place of a million large ones. Names are relative, so that the list is the same
wherever the files lie; whoever reads them verifies them against it.
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
from ilsvrc_replay.runtime.counter import Counter

MANIFEST = "manifest.csv"
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def write(
    target: Path, root: Path, names: Iterable[str], what: str, archives: Mapping[str, str] = MappingProxyType({})
) -> None:
    """List the files `names` under `root` in `target`, with their sha256; those of `archives` with the md5 given there.

    Raises StudyError naming a file that cannot be read, or an archive that has another md5.
    """
    names = sorted(names)
    counter = Counter(f"{what}, checksums", len(names))
    with (
        whole_file(target / MANIFEST) as partial,
        partial.open("w", newline="", errors="surrogateescape") as file,
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("name", "bytes", "checksum"))
        try:
            for name, row in zip(
                names, pool.map(lambda name: describe(root / name, archives.get(name)), names), strict=True
            ):
                table.writerow((name, *row))
                counter.add(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    counter.end()


def describe(path: Path, md5: str | None) -> tuple[int, str]:
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
    """Names of all files below some folders of `root`, hidden ones left out; linked folders are followed."""
    names = []
    for top in folders:
        for folder, inner, files in os.walk(root / top, followlinks=True):
            inner[:] = [name for name in inner if not name.startswith(".")]
            place = Path(folder).relative_to(root)
            names += [(place / name).as_posix() for name in files if not name.startswith(".")]
    return names


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGES)
