"""What runs have left that params.yaml has no longer.

DVC forgets a stage that dvc.yaml does not make any more, but not its files: an entry that was removed or renamed would
keep its metrics in git, and its weights on the disk. DVC's cache keeps them all the same, for when it is taken back.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ruamel.yaml import YAML

from ilsvrc_replay.files import checksum

LOCK = Path("dvc.lock")


def remove() -> None:
    """Remove the files that DVC has recorded of matrix stages which are no more, unless they were changed since."""
    for path in sorted(recorded()):
        path.unlink()
        with suppress(OSError):  # something else lies there
            path.parent.rmdir()


def recorded() -> Iterator[Path]:
    """These files, without those that a stage of now makes."""
    stages = YAML(typ="safe").load(LOCK)["stages"] if LOCK.is_file() else {}
    if not (gone := {name for name in stages if "@" in name} - (now := names())):
        return
    kept = {out["path"] for name in now & stages.keys() for out in stages[name].get("outs", ())}
    for out in (out for name in gone for out in stages[name].get("outs", ())):
        path = Path(out["path"])
        if out["path"] not in kept and path.is_file() and checksum(path, "md5") == out.get("md5"):
            yield path


def names() -> set[str]:
    """All stages of dvc.yaml as it stands, with params.yaml."""
    listing = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    return set(subprocess.check_output(listing, encoding="utf-8").splitlines())
