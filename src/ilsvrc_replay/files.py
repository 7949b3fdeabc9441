"""Files of the user's, which may be anything; the project's own, which are whole or absent; and checksums of both."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ilsvrc_replay.errors import StudyError, disk_trouble

KINDS = {  # of what is no file
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_file(path: Path) -> BinaryIO:
    """A file of the user's, or what a link leads to, for reading.

    Raises StudyError if it is not there, may not be read, or is no regular file: to open a pipe would wait for ever.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind != stat.S_IFREG:
            raise StudyError(f"{path} is {KINDS.get(kind, 'something else')}, not a file")
        return path.open("rb")
    except (OSError, ValueError) as error:  # the latter for a name that no file can have
        raise StudyError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None


def path_of(name: str) -> Path:
    """The path that a UTF-8 text names, in any locale: Python reads names of files in the locale's encoding."""
    return Path(os.fsdecode(name.encode(errors="surrogateescape")))


def name_of(path: Path) -> str:
    """The text that names a path: the same one in every locale."""
    return os.fsencode(path.as_posix()).decode(errors="surrogateescape")


def read_file(path: Path, largest: int) -> bytes:
    """The content of a file of the user's. Raises StudyError as `open_file`, and if it has over `largest` bytes."""
    with open_file(path) as file:
        check_size(path, os.fstat(file.fileno()).st_size, largest)
        return file.read()


def check_size(name: Path | str, size: int, largest: int) -> None:
    """Raises StudyError if a file has over `largest` bytes."""
    if size > largest:
        raise StudyError(f"{name} has {size:,} bytes, more than the {largest:,} that are read")


def refuse(error: StudyError) -> None:
    raise error


def files_below(folder: Path, trouble: Callable[[StudyError], None] = refuse, above: tuple = ()) -> Iterator[Path]:
    """All files below a folder of the user's, by name: none hidden, links to folders followed. `above` are the folders
    over it, by device and inode.

    `trouble` is told of a folder that may not be read, and of a link back to a folder over it; unless it raises, the
    folder is left out.
    """
    try:
        state = folder.stat()
        here = (state.st_dev, state.st_ino)
        if here in above:
            trouble(StudyError(f"{folder} is a link to a folder that it lies in: remove it"))
            return
        with os.scandir(folder) as found:
            shown = [entry for entry in found if not entry.name.startswith(".")]
        kinds = {entry.name: Path(entry).is_dir() if entry.is_symlink() else entry.is_dir() for entry in shown}
    except OSError as error:
        trouble(StudyError(f"{error.filename or folder} cannot be read: {error.strerror}"))
        return
    for name, is_folder in sorted(kinds.items()):
        if is_folder:
            yield from files_below(folder / name, trouble, (*above, here))
        else:
            yield folder / name


def checksum(path: Path, algorithm: str) -> str:
    """Raises StudyError as `open_file` does."""
    with open_file(path) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def sha256(path: Path) -> str:
    return checksum(path, "sha256")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` only if the block ends well.

    Raises StudyError if the disk does not take it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name without the content
        partial.replace(path)
    except OSError as error:
        raise disk_trouble(error, path) or error from None  # a write that fails does not know its file
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `path`, in place of an earlier one, only if the block ends well.

    Raises StudyError if the disk does not take it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed process left
    partial.mkdir()
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        partial.replace(path)
    except OSError as error:
        raise disk_trouble(error, path) or error from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # such as "\\udce9" in JSON


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write numpy arrays by name, as np.savez does, in bytes that depend on them alone: those of np.savez also change
    with Python's version, which says in the archive how it would have written a larger file."""
    import numpy as np

    with whole_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())


def read_json(path: Path) -> Any:
    """Raises StudyError if the file is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: run `dvc repro`, which makes it") from None
    except ValueError as error:  # also text that is not UTF-8
        raise StudyError(f"{path} is damaged ({error}): remove it and run `dvc repro`") from None


def as_csv(rows: list[dict[str, Any]], columns: Sequence[str] = ()) -> str:
    """A table with these columns, or the keys of its first row."""
    table = io.StringIO()
    writer = csv.DictWriter(table, columns or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
