"""What stage tune has tried for the entries of a study, and how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ilsvrc_replay import files, search
from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.finding import names_of
from ilsvrc_replay.params import Study

WORDS = ("entry", "key", "outcome")  # of the columns; all others are numbers


def read(study: Study, folder: Path) -> list[Row]:
    """A row (of search.COLUMNS) for every value that was tried, from `folder`/<entry>/search.csv."""
    return [row for entry in study.entries for row in read_table(folder / entry / "search.csv")]


def read_table(path: Path) -> list[Row]:
    """The rows (of search.COLUMNS) in a CSV file."""
    return [{key: typed(key, value) for key, value in row.items()} for row in files.read_csv(path)]


def typed(key: str, value: str) -> str | float | None:
    if key in WORDS:
        return value
    return None if not value else int(value) if key == "steps" else float(value)


def of_entry(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by entry, for those that were tuned."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["entry"], []).append(row)
    return found


def is_chosen(row: Row) -> bool:
    return row["outcome"] in (search.CHOSEN, search.AT_EDGE)


def sentences(rows: Sequence[Row], study: Study) -> list[str]:
    """How the entries' values were chosen, and which choices lie at the edge of what was tried."""
    if not rows:
        return []
    names = names_of(study)
    grids: dict[str, list[str]] = {}
    for entry, tried in of_entry(rows).items():
        grid = f"{tried[0]['key']} of {', '.join(format(row['value'], 'g') for row in tried)}"
        grids.setdefault(grid, []).append(names[entry])
    edges = [f"{names[row['entry']]} at {row['value']:g}" for row in rows if row["outcome"] == search.AT_EDGE]
    lines = [
        f"Tuned on validation images, each value for {study.tuning.share:.0%} of the entry's epochs with seed"
        f" {study.tuning.seed}: " + "; ".join(f"{', '.join(entries)}: {grid}" for grid, entries in grids.items()) + "."
    ]
    if edges:
        lines.append(f"At the edge of the search, so that a better value may lie outside: {', '.join(edges)}.")
    return lines
