"""How far a long pass over many files is: a bar on a terminal, a line every half minute elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LOG = 30.0  # seconds between two lines


@contextmanager
def progress_bar(what: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with how many more of `total` files are done; `done` were so before."""
    terminal, printed = sys.stdout.isatty(), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not terminal) as progress:
        progress.add_task(what, total=total, completed=done)
        (task,) = progress.tasks

        def advance(count: int) -> None:
            nonlocal printed
            progress.advance(task.id, count)
            if not terminal and time.monotonic() - printed > LOG:
                printed = time.monotonic()
                left = round(task.time_remaining or 0)
                print(f"{what}: {task.completed:,} of {total:,} files  {left // 60}:{left % 60:02d} left", flush=True)

        yield advance
