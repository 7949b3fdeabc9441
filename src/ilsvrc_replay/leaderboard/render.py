"""The leaderboard as files: CSV for programs, JSON with its context, Markdown for people."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard.table import COLUMNS
from ilsvrc_replay.params import Study

Row = dict[str, Any]


def write(folder: Path, study: Study, rows: list[Row], baseline: dict[str, Any]) -> None:
    """Write leaderboard.csv, .json and .md into `folder`."""
    files.write_text(folder / "leaderboard.csv", as_csv(rows))
    files.write_json(folder / "leaderboard.json", {"study": study.study, "baseline": baseline, "rows": rows})
    files.write_text(folder / "leaderboard.md", as_markdown(study, rows, baseline))


def as_csv(rows: list[Row]) -> str:
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()


def as_markdown(study: Study, rows: list[Row], baseline: dict[str, Any]) -> str:
    """The board, what any net must beat, and how to read it."""
    lines = [
        f"# Leaderboard of the study `{study.study}`",
        "",
        "| year | entry | recipe | width | compact | parameters | MMACs | protocol | top-1 error % (95 %) |"
        " top-5 error % | ImageNet top-5: one net | ImageNet top-5: headline |",
        "|---:|---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
        *(markdown_row(row) for row in rows),
        "",
        f"Measured on the {baseline['images']:,} test images of {study.dataset.name}. On the same images guessing errs"
        f" in {baseline['chance_top1_err']:.1f} % and a linear classifier ({baseline['linear']}) in"
        f" {baseline['linear_top1_err']:.2f} %; top-5 {baseline['chance_top5_err']:.1f} %"
        f" and {baseline['linear_top5_err']:.2f} %.",
        f"Seeds: {', '.join(map(str, study.seeds))}. Intervals: Wilson for one seed, over seeds for several.",
        "",
        "The two right-hand columns are published ImageNet figures: their order can be compared, their size cannot:",
        "",
        *(f"- {row['entry']}: {row['source']}" for row in rows if row["source"]),
        "",
        "Made by `dvc repro`; a single row's net by `dvc repro train@ENTRY-SEED`.",
    ]
    return "\n".join(lines) + "\n"


def markdown_row(row: Row) -> str:
    single = f"{row['single_top5_err']} ({row['single_protocol']})" if row["single_top5_err"] else ""
    cells = (
        row["year"] or "",
        row["entry"],
        row["recipe"],
        f"{row['width']:g}",
        row["compact"],
        f"{row['param_count']:,}",
        f"{1000 * row['gmacs']:.2f}",
        row["protocol"],
        f"{row['top1_err']:.2f} ({row['top1_err_low']:.2f}–{row['top1_err_high']:.2f})",
        f"{row['top5_err']:.2f}",
        single,
        row["headline_top5_err"] or "",
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"
