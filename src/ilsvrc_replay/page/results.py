"""The results of a study as its page reads them, from the files of results/<study> alone: any clone can draw it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError, first_line
from ilsvrc_replay.leaderboard import board
from ilsvrc_replay.leaderboard.board import PARAMS_FILE, Board, Row
from ilsvrc_replay.leaderboard.floors import classes_of
from ilsvrc_replay.leaderboard.trained_runs import CURVES, WEIGHTS
from ilsvrc_replay.page import columns
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name

WORDS = ("run", "entry")  # the columns of curves.csv that are no numbers


class Results(NamedTuple):
    """A study with its board, the content of leaderboard.json; the training curves of all its runs; and by run,
    its weights' sha256 and what trained them (rows of WEIGHT_COLUMNS)."""

    study: Study
    board: dict[str, Any]
    curves: list[Row]
    weights: dict[str, Row]

    @property
    def lost(self) -> Iterator[str]:
        """What a table has lost: the weights of a run, or the curve of one that was trained."""
        drawn = {row["run"] for row in self.curves}
        for entry, seed in self.study.runs:
            run = run_name(entry, seed)
            if run not in self.weights:
                yield f"{WEIGHTS} has no {run}"
            if run not in drawn and self.study.recipe(entry) != "pretrained":
                yield f"{CURVES} has no {run}"

    @property
    def rows(self) -> list[Row]:
        return self.board["rows"]

    @property
    def protocol(self) -> str:
        """The protocol that the page opens with; "" stands for all of them."""
        return columns.protocols(self.study, self.rows)[0][0]

    @property
    def classes(self) -> int:
        return classes_of(self.board["baseline"])

    @property
    def by_protocol(self) -> Markup:
        """For captions of charts that show one protocol at a time: a sentence that names it."""
        if len(columns.column_of(self.rows, "protocol")) == 1:
            return Markup()
        return Markup('<span class="of-protocol"> By the protocol <b data-protocol-name></b>.</span>')


def read(folder: Path) -> Results:
    """The results that stage aggregate wrote to `folder`. Raises StudyError if they are not all there, or were written
    by other code."""
    try:
        found = Results(
            study=study_of(folder / PARAMS_FILE),
            board=board.read(folder),
            curves=[typed(row) for row in files.read_csv(folder / CURVES)],
            weights={row["run"]: row for row in files.read_csv(folder / WEIGHTS)},
        )
    except (StudyError, OSError, ValueError, TypeError, LookupError, csv.Error) as error:
        raise StudyError(f"{folder} cannot be drawn ({first_line(error)}): run its study again") from None
    if missing := sorted(set(Board._fields) - found.board.keys()):
        raise StudyError(f"{folder} cannot be drawn (leaderboard.json has no {missing[0]}): run its study again")
    if lost := next(found.lost, None):
        raise StudyError(f"{folder} cannot be drawn ({lost}): run its study again")
    return found


def study_of(path: Path) -> Study:
    """Raises ValueError if the file holds no study of today's code."""
    try:
        return Study.model_validate(board.parse_object(path.read_bytes()))
    except ValueError:
        raise ValueError(f"{path.name} is damaged, or of other code") from None


def typed(row: dict[str, str]) -> Row:
    """A row of curves.csv with its numbers as numbers, None where one is missing. Raises ValueError if it is none."""
    try:
        numbers = {key: float(value) if value else None for key, value in row.items() if key not in WORDS}
        if None in row.values() or None in row or not numbers.keys() >= {"seed", "step", "epoch"}:
            raise ValueError("cells are missing")
        return row | numbers | {key: int(row[key]) for key in ("seed", "step")}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{CURVES}: {error}") from None
