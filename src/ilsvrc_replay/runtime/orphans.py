"""No process outlives the one that started it, however that one ended (Linux).

`python -m ilsvrc_replay.runtime.orphans PARENT COMMAND...` becomes COMMAND, which the kernel terminates when PARENT
dies. That holds DVC to the launcher. DVC starts a stage by a shell that would live on; `watch` holds a stage to both,
and to a DVC that was gone before the stage had loaded its libraries.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
HOLDER = "REPLAY_HOLDER"  # the process that COMMAND became: the DVC of a stage
GRACE = 10  # seconds that a stage has to end by itself once it is told to


def become(parent: int, command: list[str]) -> None:
    """Replace this process by `command`, terminated when `parent`, which started this one, dies."""
    with suppress(AttributeError):  # not on Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has died meanwhile
        sys.exit(128 + signal.SIGTERM)
    os.environ[HOLDER] = str(os.getpid())
    os.execvp(command[0], command)  # noqa: S606 (a command of the launcher's)


def watch() -> None:
    """Terminate this process when the DVC that runs it dies; does nothing outside of DVC."""
    if "DVC_STAGE" not in os.environ:
        return
    above = [os.getppid()]
    if HOLDER in os.environ:
        above.append(int(os.environ[HOLDER]))
    elif not is_dvc(above[0]):
        above.append(parent_of(above[0]))  # DVC's shell, then DVC
    if above[-1] <= 1 and not is_dvc(above[-1]):  # the shell, or this process, has been left to init
        os.kill(os.getpid(), signal.SIGTERM)
    try:
        descriptors = [os.pidfd_open(process) for process in above]
    except ProcessLookupError:
        os.kill(os.getpid(), signal.SIGTERM)
    except (OSError, AttributeError):  # not on Linux
        return
    else:
        threading.Thread(target=end_with, args=(descriptors,), daemon=True).start()


def end_with(descriptors: list[int]) -> None:
    """Wait until one of these processes ends, then end this one."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def is_dvc(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8").startswith(("dvc", "python"))
    except OSError:
        return False


def parent_of(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
