"""DVC's list of the files that its processes read and write, .dvc/tmp/rwlock.

Three things that a kill or a power cut can leave keep later `dvc` commands from starting, and DVC names none of them.
It writes the list in place: killed in that moment, it leaves a part of it. A killed process that its parent has not yet
waited for counts as running. And so does any other process that has got the number of one that is gone.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from ilsvrc_replay.files import write_text
from ilsvrc_replay.runtime.scratch import locked

FILE = Path(".dvc/tmp/rwlock")
Listed = dict[str, dict[str, Any]]


class Process(TypedDict):
    pid: int
    cmd: str


SHAPE = TypeAdapter(TypedDict("Shape", {"read": dict[str, list[Process]], "write": dict[str, Process]}, total=False))


def is_stale(repository: Path = Path()) -> bool:
    """Whether the list was cut off, or names a process as running that does not do what the list says."""
    try:
        listed = read(repository / FILE)
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return any(psutil.pid_exists(process["pid"]) and not is_at_work(process) for process in named(listed))


def read(path: Path) -> Listed:
    """Raises ValueError if the file is no such list."""
    return SHAPE.validate_python(json.loads(path.read_bytes()))


def mend() -> None:
    """Leave in a stale list the processes that are at work."""
    if is_stale():
        with locked(FILE.with_name("rwlock.lock")):  # as DVC does itself while it reads or writes it
            try:
                write_text(FILE, json.dumps(at_work(read(FILE))))
            except ValueError:
                with suppress(FileNotFoundError):
                    FILE.unlink()
            except FileNotFoundError:
                return


def named(listed: Listed) -> list[dict[str, Any]]:
    """The processes that read or write files, each with its `pid` and its `cmd`, the words that DVC was called by."""
    readers = [reader for readers in listed.get("read", {}).values() for reader in readers]
    return [*readers, *listed.get("write", {}).values()]


def at_work(listed: Listed) -> Listed:
    """The list without the processes that are not."""
    reading = {path: list(filter(is_at_work, readers)) for path, readers in listed.get("read", {}).items()}
    writing = {path: writer for path, writer in listed.get("write", {}).items() if is_at_work(writer)}
    return {"write": writing, "read": {path: readers for path, readers in reading.items() if readers}}


def is_at_work(process: dict[str, Any]) -> bool:
    """Whether there is a process with this number that runs, and was called by these words."""
    try:
        found = psutil.Process(process["pid"])
        if found.status() == psutil.STATUS_ZOMBIE:
            return False
        return " ".join(found.cmdline()).endswith(process["cmd"].partition(" ")[2])  # DVC's own name differs
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's
        return True
