"""Records for a service that may be away: written to a file first, sent by a thread, kept until they are sent.

A spool is a file of JSON lines: what it is about, then records, and after each that was sent a line that counts them.
Its process holds it locked, so that a file that can be locked was left by a process that was killed, or that could not
send all it had: whoever comes next sends the rest.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Record = dict[str, Any]
RETRY = 30.0  # seconds between attempts to reach a service that fails


class Spool:
    """A spool of this process in `folder`, about `header`. `deliver(record)` sends one; what it raises is a failure.

    Nothing here waits for the service but `close`, and no failure reaches the caller: `failed(error)` hears of the
    first. `first` is called by the thread before it sends, until it ends well. A process that closes within `patience`
    seconds sends nothing, and leaves all to whoever comes next.
    """

    def __init__(
        self,
        folder: Path,
        header: Record,
        deliver: Callable[[Record], None],
        failed: Callable[[Exception], None],
        first: Callable[[], None] = lambda: None,
        patience: float = 0.0,
    ) -> None:
        self.deliver, self.failed, self.first, self.patience = deliver, failed, first, patience
        self.unsent: deque[Record] = deque()
        self.sent, self.warned, self.begun, self.file = 0, False, False, None
        self.news, self.closing = threading.Event(), threading.Event()
        self.writing = threading.Lock()
        self.path = folder / f"{time.time_ns()}-{os.getpid()}.jsonl"
        try:
            self.file = self.path.open("ab", buffering=0)
            fcntl.flock(self.file, fcntl.LOCK_EX)
        except OSError as error:
            self.complain(error)
        self.write(header)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def add(self, record: Record) -> None:
        self.write(record)
        self.unsent.append(record)
        self.news.set()

    def close(self, wait: float) -> int:
        """Send what is left, for `wait` seconds at the most; returns how many records stay in the file, unsent."""
        self.closing.set()
        self.news.set()
        self.thread.join(wait)
        left = len(self.unsent)
        if not left:
            self.path.unlink(missing_ok=True)
        if self.file and not self.thread.is_alive():  # else held until the process ends: it may be sending still
            self.file.close()
        return left

    def write(self, line: Record) -> None:
        """Append to the file. On a full disk the record is still sent, if the process lives to do it."""
        try:
            with self.writing:
                if self.file:
                    self.file.write(as_line(line))
        except (OSError, ValueError) as error:
            self.complain(error)

    def complain(self, error: Exception) -> None:
        if not self.warned:
            self.warned = True
            self.failed(error)

    def work(self) -> None:
        if self.closing.wait(self.patience) and self.patience:
            return
        while not (self.closing.is_set() and not self.unsent):
            last = self.closing.is_set()
            self.news.clear()
            try:
                self.send()
            except Exception as error:  # whatever a server, a disk or a client library comes up with
                self.complain(error)
                if last:
                    return
                self.closing.wait(RETRY)
            else:
                if not self.closing.is_set():
                    self.news.wait()

    def send(self) -> None:
        if not self.begun and self.unsent:
            self.first()
            self.begun = True
        while self.unsent:
            self.deliver(self.unsent[0])
            self.unsent.popleft()
            self.sent += 1
            self.write({"sent": self.sent})


class LeftOver:
    """A spool that its process left: `records` are all of it, those from number `sent` on have not been sent."""

    def __init__(self, path: Path) -> None:
        self.path, self.sent = path, 0
        lines = list(whole_lines(path))
        self.header: Record = lines[0] if lines else {}
        self.records: list[Record] = []
        for line in lines[1:]:
            if "sent" in line:
                self.sent = line["sent"]
            else:
                self.records.append(line)

    def empty_into(self, deliver: Callable[[Record], None]) -> int:
        """Send the rest and remove the file; returns how many records there were. What `deliver` raises goes on."""
        count = len(self.records) - self.sent
        with self.path.open("ab", buffering=0) as file:
            for number in range(self.sent, len(self.records)):
                deliver(self.records[number])
                file.write(as_line({"sent": number + 1}))
        self.path.unlink()
        return count


def as_line(record: Record) -> bytes:
    """Begins with the line break: what stands before may be torn, by a kill or a full disk."""
    return b"\n" + json.dumps(record).encode()


def whole_lines(path: Path) -> Iterator[Record]:
    """The records of a file in which lines may be torn."""
    for line in path.read_text(errors="replace").splitlines():
        with suppress(json.JSONDecodeError):
            yield json.loads(line)


@contextmanager
def left_over(folder: Path) -> Iterator[list[LeftOver]]:
    """The spools of `folder` that no process holds, oldest first, held while the block lasts."""
    held, spools = [], []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            file = path.open("r+")  # never makes a file anew that another process has just removed
            held.append(file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process is at work on it
            continue
        if path.exists():  # and not just sent and removed by one
            spools.append(LeftOver(path))
    try:
        yield spools
    finally:
        for file in held:
            file.close()
