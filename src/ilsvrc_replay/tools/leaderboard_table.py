"""The leaderboard on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ilsvrc_replay.leaderboard.floors import images_of, linear_errors
from ilsvrc_replay.leaderboard.render import published_single
from ilsvrc_replay.params import Study


def show(console: Console, study: Study, board: dict[str, Any], folder: Path) -> None:
    """Print the `board` of `folder`/leaderboard.json. Columns in which all rows agree are left out, so that the table
    fits 80 columns."""
    baseline, rows = board["baseline"], board["rows"]
    table = Table(
        title=f"Study {study.study}: top-1 error on {images_of(rows)} of {study.dataset.name}",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    varying = [name for name in ("recipe", "protocol") if len({row[name] for row in board["rows"]}) > 1]
    for name in ("year", "entry", *varying):
        table.add_column(name, no_wrap=True)
    for name in ("error %", "95 %", "one net*", "headline*"):
        table.add_column(name, no_wrap=True, justify="right")
    for row in board["rows"]:
        table.add_row(
            str(row["year"] or ""),
            escape(row["entry"] if row["kind"] == "single" else f"{row['entry']} (ensemble)"),
            *(escape(row[name]) for name in varying),
            f"{row['top1_err']:.2f}",
            f"{row['top1_err_low']:.2f}–{row['top1_err_high']:.2f}",
            published_single(row).partition(" (")[0],
            str(row["headline_top5_err"] or ""),
        )
    console.print(table)
    console.print(
        f"On the same images guessing has an error of {baseline['chance_top1_err']:.1f} %, a linear classifier of"
        f" {linear_errors(rows, baseline)}.\n"
        "* published ImageNet errors, top-1 / top-5 of one net and top-5 of the famous ensemble: compare their order,"
        " not their size\n"
        f"Files: {folder}/leaderboard.md, .csv and .json; to look at in a browser: {folder}/index.html"
    )
