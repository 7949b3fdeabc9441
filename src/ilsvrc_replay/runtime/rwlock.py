"""DVC's list of the files that its processes read and write, .dvc/tmp/rwlock.

Two things that a kill can leave keep every later `dvc` command from starting. DVC writes the list in place: killed in
that moment, it leaves a part of it. And a killed process that its parent has not yet waited for counts as running.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import psutil

from ilsvrc_replay.runtime.scratch import locked

FILE = Path(".dvc/tmp/rwlock")


def is_stale(repository: Path = Path()) -> bool:
    """Whether the list was cut off, or names a process that was killed and not yet waited for, and no living one."""
    try:
        states = {state(pid) for pid in named(json.loads((repository / FILE).read_bytes()))}
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return psutil.STATUS_ZOMBIE in states and states <= {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


def named(listed: dict[str, dict]) -> set[int]:
    """The processes that read or write files."""
    readers = [reader for readers in listed.get("read", {}).values() for reader in readers]
    return {process["pid"] for process in (*readers, *listed.get("write", {}).values())}


def state(pid: int) -> str:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def mend() -> None:
    """Remove a stale list."""
    if is_stale():
        with locked(FILE.with_name("rwlock.lock")):  # as DVC does itself while it reads or writes it
            if is_stale():
                with suppress(FileNotFoundError):
                    FILE.unlink()
