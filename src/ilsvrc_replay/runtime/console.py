"""What the stages and runs of a study say: a table that moves on a terminal, plain lines elsewhere, and logs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ilsvrc_replay.runtime.scratch import scratch

MOVING = "REPLAY_MOVING"  # an environment variable: a stage is asked for progress lines that end in a carriage return


class Lines:
    """Passes lines on as they come, and keeps each stage's and run's in .scratch/logs/<name>.log."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.logged: set[str] = set()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """What stages say after this, as they are stopped, is still passed on."""

    @property
    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def begin(self, name: str, is_run: bool, where: str = "") -> None:
        """Called when a stage or a run starts; `where`: on which node of a cluster."""
        if where:
            self.line(name, f"{name}  on {where}", sys.stdout)

    def end(self, name: str, done: bool) -> None:
        """Called when it has ended, `done` or failed."""

    def progress(self, name: str, line: str) -> None:
        """A line that its next one replaces."""

    def line(self, name: str, line: str, to: TextIO) -> None:
        with self.lock:
            with suppress(OSError):  # a full disk, of which the stages tell
                self.keep(name, line)
            self.logged.add(name)
            self.show(name, line, to)

    def keep(self, name: str, line: str) -> None:
        with log(name).open("a" if name in self.logged else "w", encoding="utf-8") as file:
            file.write(f"{line}\n")  # what says nothing keeps the log of its last time

    def show(self, name: str, line: str, to: TextIO) -> None:
        print(line, file=to, flush=True)


class MovingTable(Lines):
    """A row for everything that runs; above it what stages say, the last word of each run, and every error."""

    def __init__(self) -> None:
        super().__init__()
        self.console = Console(stderr=False, highlight=False)
        self.rows: dict[str, tuple[float, str]] = {}
        self.places: dict[str, str] = {}
        self.runs: set[str] = set()
        self.done = 0
        self.live = Live(console=self.console, get_renderable=self.table, refresh_per_second=4, transient=True)

    def __enter__(self) -> Lines:
        self.live.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.live.stop()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, MOVING: "1"}

    def begin(self, name: str, is_run: bool, where: str = "") -> None:
        with self.lock:
            self.places[name] = where  # first: the table is drawn meanwhile, by the names of rows
            self.rows[name] = (time.monotonic(), "starting")
            self.runs |= {name} if is_run else set()

    def end(self, name: str, done: bool) -> None:
        with self.lock:
            _, said = self.rows.pop(name)
            self.done += done
            if done and name in self.runs and name in self.logged:
                self.console.print(said, markup=False, soft_wrap=True)

    def progress(self, name: str, line: str) -> None:
        with self.lock:
            if name in self.rows:
                self.rows[name] = (self.rows[name][0], line)

    def show(self, name: str, line: str, to: TextIO) -> None:
        if name in self.rows:
            self.rows[name] = (self.rows[name][0], line)
        if to is sys.stderr or name not in self.runs:
            self.console.print(line, markup=False, soft_wrap=True)

    def table(self) -> Table:
        table = Table(box=None, show_header=False, caption=f"{self.done} done", caption_justify="left")
        table.add_column(no_wrap=True, style="bold")
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True, justify="right", style="dim")
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, (started, said) in list(self.rows.items()):
            seconds = round(time.monotonic() - started)
            elapsed = f"{seconds // 60}:{seconds % 60:02d}"
            table.add_row(name, self.places[name], elapsed, said.removeprefix(name).strip())
        return table


def watcher() -> Lines:
    return MovingTable() if sys.stdout.isatty() else Lines()


def log(name: str) -> Path:
    return scratch("logs") / f"{name}.log"


def pieces(stream: IO[bytes]) -> Iterator[tuple[str, bool]]:
    """What a stream says as it says it: lines, and whether the next one is to replace them (ended by a return)."""
    rest = b""
    while chunk := os.read(stream.fileno(), 65536):
        rest += chunk
        while (at := min((place for end in b"\r\n" if (place := rest.find(end)) >= 0), default=-1)) >= 0:
            piece, ending, rest = rest[:at], rest[at], rest[at + 1 :]
            yield piece.decode(errors="replace"), ending == ord("\r")
    if rest:
        yield rest.decode(errors="replace"), False
