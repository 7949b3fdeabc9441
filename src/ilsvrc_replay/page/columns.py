"""The page's tables as data: the columns of the board, the protocols to choose from, and how to remake each run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.papers.published import find
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name

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
    Column("images", "images", thousands),
    Column("seeds", "seeds"),
)
COLUMNS = (
    Column("entry", "entry", number=False),
    Column("top1_err", "top-1 error %", two, HERE),
    Column("top1_err_low", "95 % from", two, HERE),
    Column("top1_err_high", "to", two, HERE),
    Column("top5_err", "top-5 error %", two, HERE),
    Column("year", "year"),
    *VARYING,
    Column("param_count", "parameters", thousands),
    Column("gmacs", "MMACs", millions),
    Column("single_top1_err", "one net: top-1", str, PUBLISHED),
    Column("single_top5_err", "one net: top-5", str, PUBLISHED),
    Column("single_protocol", "its protocol", str, PUBLISHED, number=False),
    Column("headline_top5_err", "ensemble: top-5", str, PUBLISHED),
)


def columns(rows: list[Row]) -> list[Column]:
    """The board's columns: of VARYING those that differ between its rows, of the others those that a row fills."""
    texts = {column: {column.text(row) for row in rows} for column in COLUMNS}
    return [column for column in COLUMNS if len(texts[column]) > 1 or (column not in VARYING and texts[column] != {""})]


def groups(rows: list[Row]) -> list[tuple[str, int]]:
    """The groups over the board's columns, each with how many it spans."""
    return [(group, len(list(members))) for group, members in groupby(columns(rows), key=lambda column: column.group)]


def same(rows: list[Row]) -> list[str]:
    """What is the same in all rows, and so stands over the table: "recipe: modern"."""
    shown = columns(rows)
    return [f"{column.title}: {column.text(rows[0])}" for column in VARYING if column not in shown]


def intervals(rows: list[Row]) -> list[tuple[float, float, float]]:
    """Where each row's interval is drawn: from, to, and its error, in % of the width that all rows share."""
    low, high = min(row["top1_err_low"] for row in rows), max(row["top1_err_high"] for row in rows)
    keys = ("top1_err_low", "top1_err_high", "top1_err")
    return [tuple(round(100 * (row[key] - low) / ((high - low) or 1), 1) for key in keys) for row in rows]


def added(rows: list[Row]) -> dict[str, str]:
    """Where the entries stand that are not of the history, by entry: rank among the single nets of their protocol, and
    the distance to the next better one."""
    found = {}
    for row in rows:
        if row["kind"] == "single" and find(row["architecture"]) is None and row["entry"] not in found:
            alike = [one for one in rows if one["kind"] == "single" and one["protocol"] == row["protocol"]]
            order = sorted(alike, key=lambda one: one["top1_err"])
            rank = order.index(row)
            ahead = f", {row['top1_err'] - order[rank - 1]['top1_err']:.2f} points behind {order[rank - 1]['entry']}"
            found[row["entry"]] = f"{rank + 1} of {len(order)} by {row['protocol']}{ahead if rank else ''}"
    return found


def sources(rows: list[Row]) -> dict[str, str]:
    """Where the published figures of each entry stand."""
    return {row["entry"]: row["source"] for row in rows if row.get("source")}


def remakes(study: Study, weights: dict[str, Row]) -> dict[str, list[Row]]:
    """For every run of an entry: the command that makes it anew, the sha256 of its weights, what trained them, and what
    finds it in MLflow."""
    found: dict[str, list[Row]] = {entry: [] for entry in study.entries}
    for entry, seed in study.runs:
        run = run_name(entry, seed)
        sha256 = weights[run]["sha256"]
        found[entry].append(
            {
                "command": f"dvc repro --force --single-item train@{run} evaluate@{run}",
                "sha256": sha256,
                "processor": weights[run].get("processor", ""),
                "filter": f"tags.run = '{run}' and tags.weights_sha256 = '{sha256}'",
            }
        )
    return found


def ensembles(study: Study, rows: list[Row]) -> dict[str, str]:
    """The members of the ensembles with a name of their own; those of an entry's seeds are found at the entry."""
    found = {row["entry"]: row["members"] for row in rows if row["kind"] == "ensemble"}
    return {name: members for name, members in found.items() if name not in study.entries}


def protocols(study: Study, rows: list[Row]) -> list[tuple[str, str]]:
    """The board's protocols as options of a switch, value and title; "" shows all of them. The page opens with the
    first: the protocol of the most entries or, if none has every entry, as where each net has its era's own, with all.
    """
    tested = {name: {row["entry"] for row in rows if row["protocol"] == name} for name in column_of(rows, "protocol")}
    found = sorted(((name, name) for name in tested), key=lambda option: -len(tested[option[0]]))
    whole = tested[found[0][0]] >= set(study.entries)
    return [*found, ("", "all")] if whole else [("", "all"), *found]


def column_of(rows: list[Row], key: str) -> list[Any]:
    """The different values of a column, in the rows' order."""
    return list(dict.fromkeys(row[key] for row in rows))
