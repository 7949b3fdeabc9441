"""The searches that are studies of their own, as the list of studies shows them: validation error by net and value."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay.errors import StudyError, first_line
from ilsvrc_replay.leaderboard import tunings
from ilsvrc_replay.leaderboard.board import PARAMS_FILE, Row
from ilsvrc_replay.page.results import study_of
from ilsvrc_replay.params import Study


class StudySearch(NamedTuple):
    """A study that trains only to choose: what it tried, in sentences, and by entry its rows by value."""

    study: Study
    words: list[str]
    values: list[float]
    tried: dict[str, dict[float, Row]]


def read(root: Path) -> Iterator[StudySearch]:
    """The searches in the folders of `root` that have no board; one written by other code is left out, with a
    warning."""
    for path in sorted(root.glob("*/tuning.csv")):
        if (path.parent / "leaderboard.json").exists():
            continue
        try:
            yield found(study_of(path.parent / PARAMS_FILE), tunings.read_table(path))
        except (StudyError, OSError, ValueError, TypeError, LookupError, csv.Error) as error:
            print(f"warning: {path} cannot be shown ({first_line(error)}): run its study again", file=sys.stderr)


def found(study: Study, rows: list[Row]) -> StudySearch:
    tried = {entry: {row["value"]: row for row in of} for entry, of in tunings.of_entry(rows).items()}
    return StudySearch(study, tunings.sentences(rows, study), sorted({row["value"] for row in rows}), tried)
