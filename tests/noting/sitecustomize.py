"""On the path of a stage, notes the modules of the project that it has loaded when it ends, in $NOTED/<stage>."""

import atexit
import os
import sys
from pathlib import Path


def note() -> None:
    script = Path(sys.argv[0] if sys.argv else "")
    if script.parent.name == "pipelines":
        names = sorted(name for name in sys.modules if name.partition(".")[0] == "ilsvrc_replay")
        with Path(os.environ["NOTED"], script.stem).open("a") as file:
            file.writelines(f"{name}\n" for name in names)


atexit.register(note)
