"""A folder in which tests run commands, with nothing of the user's environment that could decide what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path


class Place:
    def __init__(self, folder: Path, left_out: tuple[str, ...], **environment: str) -> None:
        """Commands see this process' environment without what begins with `left_out`, and `environment`."""
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
        self.environment = kept | environment

    def run(self, *command: str, code: int | None = 0, **environment: str) -> str:
        """Run a command; asserts its exit status (any but 0 for None) and returns all that it said."""
        process = self.start(*command, **environment)
        said = process.communicate()[0]
        assert (process.returncode == code) if code is not None else process.returncode, said
        return said

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (background ignores it)
        )

    def processes(self) -> list[int]:
        """Those that work in the folder, without those that have ended and wait to be noticed."""
        return sorted(int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cwd") if works_in(path, self.folder))

    def is_quiet(self, within: float = 15) -> bool:
        """Whether no process works in the folder any more after some seconds."""
        deadline = time.monotonic() + within
        while self.processes():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True


def works_in(cwd: Path, folder: Path) -> bool:
    try:
        return cwd.readlink().is_relative_to(folder)
    except OSError:  # ended meanwhile, or not ours to look at
        return False
