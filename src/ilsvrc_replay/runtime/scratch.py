"""The repository's .scratch folder: what outlives a killed process but belongs to no result, and who holds what."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ilsvrc_replay.errors import StudyError


def root() -> Path:
    """The repository's root, also inside a temporary DVC workspace."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd())


def scratch(name: str) -> Path:
    """A folder under .scratch, which git ignores."""
    folder = root() / ".scratch" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StudyError(f"{folder} is no folder, or lies in none: move away what stands there") from None
    return folder


@contextmanager
def locked(path: Path, refusal: str | None = None) -> Iterator[None]:
    """Hold the lock file `path`, which the system releases however this process ends; its holder may remove it.

    Waits for another holder, or raises StudyError(refusal) at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise StudyError(f"{path} is a folder, where a lock belongs: remove it")
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
        except BlockingIOError:
            raise StudyError(refusal) from None
        if os.fstat(file.fileno()).st_nlink:
            yield
            return
    with locked(path, refusal):  # the holder that was waited for has removed the file
        yield
