"""Let a stage import the package beside it.

In a second clone, a worktree or one of DVC's temporary workspaces the package of another checkout may be installed: DVC
would hash this checkout's code, and run that one's. A stage imports this module first.

Until `run_stage`, Ctrl-C ends the stage at once: libraries that are being loaded would make a traceback of it, or hide
it. And nothing is searched for garbage: the libraries are hundreds of thousands of objects, all of which
stay. Measured on two cores, importing what a training needs takes 2.3 s instead of 2.6 s.
"""

import gc
import os
import signal
import sys
from pathlib import Path


def interrupted(_signal: int, _frame: object) -> None:
    os.write(2, b"error: interrupted before anything began\n")
    os._exit(130)


signal.signal(signal.SIGINT, interrupted)
gc.disable()
SOURCE = Path(sys.argv[0]).resolve().parents[1] / "src"  # beside the stage's script
sys.path.insert(0, str(SOURCE))

import ilsvrc_replay  # noqa: E402

if Path(ilsvrc_replay.__file__).resolve().parents[1] != SOURCE:
    print(
        f"error: this stage would run {ilsvrc_replay.__file__}, not the code beside it: unset PYTHONPATH and"
        " PYTHONSTARTUP, or run it by `dvc repro`",
        file=sys.stderr,
    )
    sys.exit(1)
