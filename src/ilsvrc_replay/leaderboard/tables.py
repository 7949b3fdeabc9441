"""The page's tables as data: which columns the board shows, and what remakes each run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.params import Study, run_name

HERE, PUBLISHED = "measured here", "published, on ImageNet"


class Column(NamedTuple):
    """A column of the board: its `key` in the row, how a value reads, and the group that it stands under."""

    key: str
    title: str
    show: Callable[[Any], str] = str
    group: str = ""
    number: bool = True

    def text(self, row: Row) -> str:
        value = row.get(self.key)
        return "" if value in (None, "") else self.show(value)


def two(value: float) -> str:
    return f"{value:.2f}"


def thousands(value: int) -> str:
    return f"{value:,}"


def millions(gmacs: float) -> str:
    return f"{1000 * gmacs:,.2f}"


VARYING = (
    Column("recipe", "recipe", number=False),
    Column("width", "width", "{:g}".format),
    Column("protocol", "protocol", number=False),
    Column("seeds", "seeds"),
)
COLUMNS = (
    Column("year", "year"),
    Column("entry", "entry", number=False),
    *VARYING,
    Column("param_count", "parameters", thousands, HERE),
    Column("gmacs", "M multiply-adds", millions, HERE),
    Column("top1_err", "top-1 error %", two, HERE),
    Column("top1_err_low", "95 % from", two, HERE),
    Column("top1_err_high", "to", two, HERE),
    Column("top5_err", "top-5 error %", two, HERE),
    Column("single_top1_err", "one net: top-1", str, PUBLISHED),
    Column("single_top5_err", "one net: top-5", str, PUBLISHED),
    Column("single_protocol", "its protocol", str, PUBLISHED, number=False),
    Column("headline_top5_err", "ensemble: top-5", str, PUBLISHED),
)


def columns(rows: list[Row]) -> list[Column]:
    """The board's columns; of VARYING only those that differ between its rows."""
    return [column for column in COLUMNS if column not in VARYING or len({column.text(row) for row in rows}) > 1]


def groups(rows: list[Row]) -> list[tuple[str, int]]:
    """The groups over the board's columns, each with how many it spans."""
    return [(group, len(list(members))) for group, members in groupby(columns(rows), key=lambda column: column.group)]


def same(rows: list[Row]) -> list[str]:
    """What is the same in all rows, and so stands over the table: "recipe: modern"."""
    shown = columns(rows)
    return [f"{column.title}: {column.text(rows[0])}" for column in VARYING if column not in shown]


def sources(rows: list[Row]) -> dict[str, str]:
    """Where the published figures of each entry stand."""
    return {row["entry"]: row["source"] for row in rows if row.get("source")}


def remakes(study: Study, weights: dict[str, str]) -> dict[str, list[Row]]:
    """For every run of an entry: the command that makes it anew, its weights' sha256, and what finds it in MLflow."""
    found: dict[str, list[Row]] = {entry: [] for entry in study.entries}
    for entry, seed in study.runs:
        run = run_name(entry, seed)
        found[entry].append(
            {
                "command": f"dvc repro --force --single-item train@{run} evaluate@{run}",
                "sha256": weights[run],
                "filter": f"tags.run = '{run}' and tags.weights_sha256 = '{weights[run]}'",
            }
        )
    return found


def ensembles(rows: list[Row]) -> dict[str, str]:
    """The members of every ensemble of the board, by its name."""
    return {row["entry"]: row.get("members") or "" for row in rows if row["kind"] == "ensemble"}
