"""The `replay` command: with which checkout's code it runs, and how it ends. commands.py has what it can do."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from ilsvrc_replay.errors import StudyError, print_any_letter, told

BESIDE = "REPLAY_BESIDE"  # an environment variable: the checkout whose code was asked for


def run() -> None:
    """The entry point: a StudyError, a disk's trouble or want of memory is one line and exit status 1, Ctrl-C status
    130."""
    signal.signal(signal.SIGINT, stop_loading)
    print_any_letter()
    try:
        run_beside()
        from ilsvrc_replay.commands import app

        signal.signal(signal.SIGINT, signal.default_int_handler)
        app()
    except Exception as error:
        line = told(error)
        if line is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(1)


def stop_loading(_signal: int, _frame: FrameType | None) -> None:
    """Ctrl-C while libraries are loaded, which would make a traceback of it, or hide it."""
    os.write(2, b"error: stopped before anything began\n")
    os._exit(130)


def run_beside() -> None:
    """In a checkout, start again with its own code if another checkout's, the installed one's, was imported.

    Raises StudyError if that does not help.
    """
    try:
        here = Path("src").resolve()
    except FileNotFoundError:
        raise StudyError("the current folder is gone: run from the repository's root") from None
    if not (here / "ilsvrc_replay/cli.py").is_file() or here == Path(__file__).resolve().parents[1]:
        return
    if os.environ.get(BESIDE) == str(here):
        raise StudyError(f"this would run {__file__}, not the code in {here}: activate this checkout's environment")
    path = os.pathsep.join(filter(None, [str(here), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    environment = os.environ | {"PYTHONPATH": path, BESIDE: str(here)}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606
