"""The studies of pipelines/studies, and params.yaml as a copy of one of them."""

from __future__ import annotations

from itertools import count, takewhile
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import write_text
from ilsvrc_replay.params import load_study

FOLDER = Path("pipelines/studies")
PARAMS = Path("params.yaml")


class Known(NamedTuple):
    """What a study asks, and the time, machine and download that it takes."""

    question: str
    takes: str


def known() -> dict[str, Known]:
    """Every study by its name."""
    return {path.stem: Known(load_study(path).question or "", takes(text(path))) for path in paths()}


def paths() -> list[Path]:
    return sorted(FOLDER.glob("*.yaml"))


def takes(study: str) -> str:
    """What a study takes, as the last lines of its file's header say after `Takes:`; "" if they do not."""
    header = takewhile(lambda line: line.startswith("#"), study.splitlines())
    words = " ".join(" ".join(line.removeprefix("#") for line in header).split())
    return words.partition("Takes: ")[2].removesuffix(".")


def file(name: str) -> Path:
    """The file of a study. Raises StudyError, naming those there are, if there is none."""
    if name not in (names := known()):
        raise StudyError(f"there is no study {name!r}; there are {', '.join(names)}")
    return FOLDER / f"{name}.yaml"


def put_in_place(name: str) -> Path | None:
    """Make params.yaml a copy of a study; returns where a params.yaml that was edited is kept.

    Raises StudyError if there is no such study.
    """
    chosen = file(name)
    load_study(chosen)
    kept = keep(text(PARAMS)) if PARAMS.exists() else None
    write_text(PARAMS, text(chosen))
    return kept


def keep(edited: str) -> Path | None:
    """Keep a params.yaml, unless it is kept already or is no other than a study's; never in place of an earlier one."""
    if any(edited == text(path) for path in paths()):
        return None
    for number in count(1):
        path = PARAMS.with_name(f"{PARAMS}.before" + (f".{number}" if number > 1 else ""))
        if not path.exists():
            write_text(path, edited)
        if text(path) == edited:
            return path
    return None


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")
