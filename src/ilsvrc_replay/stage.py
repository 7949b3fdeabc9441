"""How every pipeline stage runs: from the repository's root, one clear line on failure, and an honest exit status.

A stage imports this module first: until `run_stage`, nothing is searched for garbage. The libraries that it loads are
hundreds of thousands of objects, all of which stay; to search them again and again takes a third of their loading time.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Callable
from types import FrameType

from ilsvrc_replay import leash
from ilsvrc_replay.errors import StudyError, disk_trouble
from ilsvrc_replay.ranks import rank

gc.disable()
TERMINATED = 128 + signal.SIGTERM


def run_stage(stage: Callable[[], None]) -> None:
    """Call `stage`; exits with 1 on a StudyError or a disk's trouble, 130 on Ctrl-C and 143 when terminated: were it 0,
    DVC would take what is half made for finished."""
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGTERM, terminate)
    leash.watch()
    speaks = rank().local == 0  # asked now, as a training's end clears the environment that says it
    try:
        stage()
    except (StudyError, OSError) as error:
        line = disk_trouble(error) if isinstance(error, OSError) else error
        if line is None:
            raise
        if speaks:  # the processes of one training all raise it
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: interrupted; nothing unfinished was kept", file=sys.stderr)
        sys.exit(130)


def chosen_run(description: str) -> tuple[str, int]:
    """The entry and the seed that a stage of one run was called with: `--entry alexnet --seed 0`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--entry", required=True)
    parser.add_argument("--seed", required=True, type=int)
    arguments = parser.parse_args()
    return arguments.entry, arguments.seed


def terminate(_signal: int, _frame: FrameType | None) -> None:
    print("error: terminated; nothing unfinished was kept", file=sys.stderr, flush=True)
    raise SystemExit(TERMINATED)
