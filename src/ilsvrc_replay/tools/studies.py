"""The studies of pipelines/studies, and params.yaml as a copy of one of them."""

from __future__ import annotations

import sys
from itertools import count, takewhile
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_file, whole_file
from ilsvrc_replay.params import load_study
from ilsvrc_replay.yaml_text import LARGEST

FOLDER = Path("pipelines/studies")
PARAMS = Path("params.yaml")


class Known(NamedTuple):
    """What a study asks, and the time, machine and download that it takes."""

    question: str
    takes: str


def known() -> dict[str, Known]:
    """Every study by its name."""
    found = {}
    for path in paths():
        try:
            found[path.stem] = Known(load_study(path).question, takes(path.read_text(encoding="utf-8")))
        except StudyError as error:
            print(f"warning: {error}", file=sys.stderr)
    return found


def paths() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def takes(study: str) -> str:
    """What a study takes, as the last lines of its file's header say after `Takes:`; "" if they do not."""
    header = takewhile(lambda line: line.startswith("#"), study.splitlines())
    words = " ".join(" ".join(line.removeprefix("#") for line in header).split())
    return words.partition("Takes: ")[2].removesuffix(".")


def file(name: str) -> Path:
    """The file of a study. Raises StudyError, naming those there are, if there is none."""
    names = known()
    if not names:
        raise StudyError(f"{FOLDER} holds no studies: run from the repository's root")
    if name not in names:
        raise StudyError(f"there is no study {name!r}; there are {', '.join(names)}")
    return FOLDER / f"{name}.yaml"


def put_in_place(name: str) -> Path | None:
    """Make params.yaml a copy of a study; returns where a params.yaml that was edited is kept.

    Raises StudyError if there is no such study.
    """
    chosen = file(name)
    load_study(chosen)
    kept = keep(read_file(PARAMS, 4 * LARGEST)) if PARAMS.exists() else None
    write(PARAMS, chosen.read_bytes())
    return kept


def keep(edited: bytes) -> Path | None:
    """Keep a params.yaml, unless it is kept already or is no other than a study's; never in place of an earlier one."""
    if any(edited == path.read_bytes() for path in paths()):
        return None
    for number in count(1):
        path = PARAMS.with_name(f"{PARAMS}.before" + (f".{number}" if number > 1 else ""))
        if not path.exists():
            write(path, edited)
        if path.read_bytes() == edited:
            return path
    return None


def write(path: Path, content: bytes) -> None:
    with whole_file(path) as partial:
        partial.write_bytes(content)
