"""How every pipeline stage runs: from the repository's root, one clear line on failure, and an honest exit status."""

from __future__ import annotations

import argparse
import gc
import hashlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType

from ruamel.yaml import YAML

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError, memory_is_short, print_any_letter, told
from ilsvrc_replay.input.world import from_environment
from ilsvrc_replay.run import NAME
from ilsvrc_replay.runtime import heap, orphans

PACKAGE = "src/ilsvrc_replay"
NOTHING_RUNS = "REPLAY_NOTHING_RUNS"  # set where DVC is to find what another machine made, and not to make it here
SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def run_stage(stage: Callable[[], None]) -> None:
    """Call `stage`; exits with 1 on an error that one line tells, 130 on Ctrl-C and 143 when terminated: were it 0,
    DVC would take what is half made for finished."""
    gc.freeze()  # what the libraries are made of stays; see pipelines/beside.py
    gc.enable()
    speaks = from_environment().local_rank == 0  # asked now, as a training's end clears the environment that says it
    print_any_letter()
    try:
        heap.keep_freed()
        for number in SAID:
            signal.signal(number, end)
        orphans.watch()
        if NOTHING_RUNS in os.environ:
            raise StudyError("what the cluster made is not of this checkout, edited meanwhile: run again")
        before = sources()
        as_resolved(before)
        stage()
        unedited(before)
    except Exception as error:
        line = told(error)
        if line is None:
            raise
        if speaks:  # the processes of one training all raise it
            print(f"error: {line}", file=sys.stderr)
        if memory_is_short(error):
            sys.stdout.flush()
            os._exit(1)  # the libraries' farewells want memory, too, and would end in tracebacks
        sys.exit(1)


def sources() -> dict[str, str]:
    """The checksum of every source file that this stage depends on, by its path: what dvc.yaml lists, the one place
    that says what decides a result, and what its resolved file names. Empty outside of a checkout."""
    listed = [Path(path) for path in dependencies() if path.startswith(("src/", "pipelines/"))]
    found = [file for path in listed for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    found += [Path(path) for path in resolved_code()]
    return {str(file): files.sha256(file) for file in found if file.is_file() and "__pycache__" not in file.parts}


def resolved_code() -> dict[str, str]:
    """The checksums that stage `resolve` filed of this stage's own net or data set, and of the user's files."""
    entry, _ = named_run()
    listed = [path for path in dependencies() if path.startswith(("resolved/", "tuning/"))]
    paths = [Path(path.replace("${item.entry}", entry)) for path in listed]
    contents = [files.read_json(path) for path in paths if path.is_file()]
    ours = {f"{PACKAGE}/{name}": checksum for found in contents for name, checksum in found.get("code", {}).items()}
    return ours | {name: checksum for found in contents for name, checksum in found.get("sources", {}).items()}


def dependencies() -> list[str]:
    """What dvc.yaml lists for this stage."""
    pipeline = Path("dvc.yaml")
    if not pipeline.is_file():
        return []
    stages = YAML(typ="safe").load(pipeline.read_text(encoding="utf-8"))["stages"]
    return stages.get(Path(sys.argv[0]).stem, {}).get("deps", [])


def as_resolved(now: dict[str, str]) -> None:
    """Raises StudyError if a source is not the one that stage `resolve` filed: DVC would file the result as its own."""
    edited = sorted(path for path, checksum in resolved_code().items() if now.get(path) != checksum)
    if edited:
        raise StudyError(f"{edited[0]} was edited after stage resolve had read it: run again, by `dvc repro`")


def unedited(before: dict[str, str]) -> None:
    """Raises StudyError if a source was edited while the stage ran: DVC would file the result as the new source's."""
    now = sources()
    edited = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
    if edited:
        raise StudyError(f"{edited[0]} was edited while this stage ran on it as it was: run again")


def fingerprint(*decisive: object) -> str:
    """A name for a stage's sources together with all else that decides its result."""
    return hashlib.sha256(repr([sorted(sources().items()), *decisive]).encode()).hexdigest()[:32]


def chosen_entry(description: str) -> str:
    """The entry that a stage is for: `--entry alexnet`, or else by its name in DVC."""
    entry, _ = named_run()
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--entry", required=not entry, default=entry)
    return parser.parse_args().entry


def chosen_run(description: str) -> tuple[str, int]:
    """The entry and the seed that a stage of one run is for: `--entry alexnet --seed 0`, or else by its name in DVC."""
    entry, seed = named_run()
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--entry", required=not entry, default=entry)
    parser.add_argument("--seed", required=not seed, default=seed, type=int)
    arguments = parser.parse_args()
    return arguments.entry, arguments.seed


def named_run() -> tuple[str, str]:
    """The entry and the seed of this stage, empty if it is for none.

    DVC hands a stage's command to a shell as it stands, so that no text of params.yaml may be in it: what the stage is
    for comes by its name, train@alexnet-0 or tune@alexnet, in the environment. Raises StudyError if the entry is no
    name.
    """
    stage, _, name = os.environ.get("DVC_STAGE", "").partition("@")
    entry, _, seed = (name, "", "") if stage == "tune" else name.rpartition("-")
    words = dict(pairwise(sys.argv))
    entry, seed = words.get("--entry", entry), words.get("--seed", seed)
    if entry and not re.fullmatch(NAME, entry):
        raise StudyError(f"{entry!r} cannot be an entry: names are of a-z, 0-9, _, . and -, and begin with a-z or 0-9")
    return entry, seed


def end(number: int, _frame: FrameType | None) -> None:
    """End the stage, which removes what is half made; soon, too, if a thread of it waits for data that never come."""
    print(f"error: {SAID[number]}; nothing unfinished was kept", file=sys.stderr, flush=True)
    last = threading.Timer(orphans.GRACE, os._exit, [128 + number])
    last.daemon = True
    last.start()
    raise SystemExit(128 + number)
