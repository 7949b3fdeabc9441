"""What the stages of a study say while they run: a table that moves on a terminal, plain lines elsewhere, and logs."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ilsvrc_replay.scratch import scratch

MOVING = "REPLAY_MOVING"  # an environment variable: a stage is asked for progress lines that end in a carriage return


class Watcher:
    """Passes lines on as they come, and keeps each stage's in .scratch/logs/<stage>.log."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.logged: set[str] = set()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        """What stages say after this, as they are stopped, is still passed on."""

    @property
    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def begin(self, stage: str) -> None:
        """Called when a stage starts."""

    def end(self, stage: str) -> None:
        """Called when a stage has ended."""

    def progress(self, stage: str, line: str) -> None:
        """A line that the next one of the stage replaces."""

    def line(self, stage: str, line: str, to: TextIO) -> None:
        with self.lock:
            with log(stage).open("a" if stage in self.logged else "w") as file:
                file.write(f"{line}\n")  # a stage that says nothing keeps the log of its last time
            self.logged.add(stage)
            self.show(stage, line, to)

    def show(self, stage: str, line: str, to: TextIO) -> None:
        print(line, file=to, flush=True)


class MovingTable(Watcher):
    """A row for every stage that runs; above it what it says at its end, and every error."""

    def __init__(self) -> None:
        super().__init__()
        self.console = Console(stderr=False, highlight=False)
        self.rows: dict[str, tuple[float, str]] = {}
        self.done = 0
        self.live = Live(console=self.console, get_renderable=self.table, refresh_per_second=4, transient=True)

    def __enter__(self) -> Watcher:
        self.live.start()
        return self

    def __exit__(self, *arguments: object) -> None:
        self.live.stop()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, MOVING: "1"}

    def begin(self, stage: str) -> None:
        with self.lock:
            self.rows[stage] = (time.monotonic(), "starting")

    def end(self, stage: str) -> None:
        with self.lock:
            self.rows.pop(stage, None)
            self.done += 1

    def progress(self, stage: str, line: str) -> None:
        with self.lock:
            if stage in self.rows:
                self.rows[stage] = (self.rows[stage][0], line)

    def show(self, stage: str, line: str, to: TextIO) -> None:
        if stage in self.rows:
            self.rows[stage] = (self.rows[stage][0], line)
        if to is sys.stderr or not stage.startswith("train@"):
            self.console.print(line, markup=False, soft_wrap=True)

    def table(self) -> Table:
        table = Table(box=None, show_header=False, caption=f"{self.done} stages done", caption_justify="left")
        table.add_column(no_wrap=True, style="bold")
        table.add_column(no_wrap=True, justify="right", style="dim")
        table.add_column(no_wrap=True, overflow="ellipsis")
        for stage, (started, said) in list(self.rows.items()):
            seconds = round(time.monotonic() - started)
            run = stage.partition("@")[2]
            what = said.removeprefix(run).strip() if run else said
            table.add_row(stage, f"{seconds // 60}:{seconds % 60:02d}", what)
        return table


def watcher() -> Watcher:
    return MovingTable() if sys.stdout.isatty() else Watcher()


def log(stage: str) -> Path:
    return scratch("logs") / f"{stage}.log"


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
