"""How far a long pass over many files is: one line that moves on a terminal, a line every half minute elsewhere."""

from __future__ import annotations

import sys
import time

TERMINAL, LOG = 0.5, 30.0  # seconds between two lines


class Counter:
    def __init__(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.done, self.before = what, total, done, done
        self.started = self.printed = time.monotonic()

    def add(self, count: int) -> None:
        self.done += count
        now, terminal = time.monotonic(), sys.stdout.isatty()
        if now - self.printed > (TERMINAL if terminal else LOG):
            self.printed = now
            print(f"\r{self.line(now)}\033[K" if terminal else self.line(now), end="" if terminal else "\n", flush=True)

    def end(self) -> None:
        """Clear the moving line."""
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def line(self, now: float) -> str:
        speed = (self.done - self.before) / max(now - self.started, 1e-9)
        left = round((self.total - self.done) / max(speed, 1e-9))
        time_left = f"{left // 60}:{left % 60:02d} left"
        return f"{self.what}: {self.done:,} of {self.total:,} images  {speed:,.0f} images/s  {time_left}"
