"""A comparison on a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ilsvrc_replay.leaderboard.floors import images_of
from ilsvrc_replay.tools.compare import changes
from ilsvrc_replay.tools.compare.sides import Side

STYLES = {"better": "green", "worse": "red"}


def show(console: Console, before: Side, after: Side, rows: list[dict[str, Any]]) -> None:
    """Print what changed in the params and in the rows from `before` to `after`."""
    for side in (before, after):
        if side.note:
            console.print(f"[yellow]note[/] {escape(side.note)}")
    console.print(f"[bold]params[/]  {escape(before.name)} → {escape(after.name)}")
    for line in params(before, after):
        console.print(f"  {escape(line)}")
    moved = [row for row in rows if row["verdict"] != changes.UNCHANGED]
    console.print(f"\n[bold]top-1 error[/]  {scope(rows)}")
    if moved:
        console.print(table(moved))
    for line in remarks(before, after, rows):
        console.print(escape(line))


def params(before: Side, after: Side) -> list[str]:
    if before.params is None or after.params is None:
        missing = " and ".join(side.name for side in (before, after) if side.params is None)
        return [f"not kept in {missing}: made by an earlier version"]
    found = changes.params(before.params, after.params)
    found += changes.behind(before.runs or {}, after.runs or {}, {key for key, *_ in found})
    entries = before.params["entries"] | after.params["entries"]
    return [line(key, old, new, entries) for key, old, new in found] or ["no difference"]


def line(key: str, old: object, new: object, entries: Collection[str]) -> str:
    """What changed; an entry that is new or gone is told by its net alone."""
    name = key.removeprefix("entries.")
    words = [
        "(none)"
        if value is None
        else f"({value.get('architecture', name)})"
        if isinstance(value, dict) and name in entries
        else str(value)
        for value in (old, new)
    ]
    return f"{key}  {' → '.join(words)}"


def scope(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "no row that both have"
    return images_of(rows)


def table(rows: list[dict[str, Any]]) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    varying = [name for name in ("kind", "protocol") if len({row[name] for row in rows}) > 1]
    for name in ("entry", *varying):
        drawn.add_column(name, no_wrap=True)
    for name in ("error %", "change in points (95 %)"):
        drawn.add_column(name, no_wrap=True, justify="right")
    drawn.add_column("verdict")  # which may take two lines
    for row in rows:
        drawn.add_row(
            row["entry"],
            *(row[name] for name in varying),
            f"{row['before_top1_err']:.2f} → {row['after_top1_err']:.2f}",
            change(row),
            row["verdict"],
            style=STYLES.get(row["verdict"]),
        )
    return drawn


def change(row: dict[str, Any]) -> str:
    """ "-1.20 (-1.90 to -0.50)", without an interval where there is none."""
    bounds = "" if row["change_low"] is None else f" ({row['change_low']:+.2f} to {row['change_high']:+.2f})"
    return f"{row['change']:+.2f}{bounds}"


def remarks(before: Side, after: Side, rows: list[dict[str, Any]]) -> Iterator[str]:
    """How to read the table, and what is not in it."""
    same = [f"{row['entry']}" for row in rows if row["verdict"] == changes.UNCHANGED]
    if same:
        yield f"unchanged, image by image: {', '.join(dict.fromkeys(same))}"
    for side, other in ((before, after), (after, before)):
        alone = dict.fromkeys(key[0] for key in side.rows if key not in other.rows)
        if alone:
            yield f"only in {side.name}: {', '.join(alone)}"
    if any(row["p"] is not None for row in rows):
        yield (
            "Intervals are of each row alone, by Welch's t over the seeds with the images' share of the variance;"
            " verdicts at 5 % with Holm's correction over all rows. p in --csv."
        )
    if any(row["mcnemar_p"] is not None for row in rows):
        yield (
            "Fewer than three seeds judge no net; McNemar's exact p of the first seeds' two weight files is in --csv."
        )
