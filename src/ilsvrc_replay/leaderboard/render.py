"""The leaderboard as files: CSV for programs, JSON with its context, Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilsvrc_replay import files
from ilsvrc_replay.evaluation.protocols import TRAINING, VALIDATION, tested_on
from ilsvrc_replay.leaderboard.board import CLAIM_COLUMNS, PARAMS_FILE, RUNS_FILE, STEP_COLUMNS, Board, Row
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run


def write(folder: Path, study: Study, runs: Mapping[str, Run], board: Board, baseline: dict[str, Any]) -> None:
    """Write leaderboard.csv, .json and .md, steps.csv, measured.csv, the params and the resolved runs into `folder`."""
    files.write_text(folder / "leaderboard.csv", files.as_csv(board.rows))
    files.write_text(folder / "steps.csv", files.as_csv(board.steps, STEP_COLUMNS))
    files.write_text(folder / "measured.csv", files.as_csv(board.claims, CLAIM_COLUMNS))
    files.write_json(folder / "leaderboard.json", {"study": study.study, "baseline": baseline, **board._asdict()})
    files.write_json(folder / PARAMS_FILE, study.model_dump(exclude_unset=True))
    files.write_json(folder / RUNS_FILE, {name: run.model_dump(exclude={"entry"}) for name, run in runs.items()})
    files.write_text(folder / "leaderboard.md", as_markdown(study, board, baseline))


def as_markdown(study: Study, board: Board, baseline: dict[str, Any]) -> str:
    """The board, the errors that any net must beat, and how to read it."""
    rows = board.rows
    held = any(row["protocol"].startswith(VALIDATION) for row in rows)
    held_out = f", `{VALIDATION}` those held out of them" if held else ""
    lines = [
        f"# Leaderboard of the study `{study.study}`",
        "",
        "| year | entry | recipe | width | compact | parameters | MMACs | protocol | top-1 error % (95 %) |"
        " top-5 error % | published, one net: top-1 / top-5 | published headline: top-5 |",
        "|---:|---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
        *(markdown_row(row) for row in rows),
        "",
        f"Measured on the {baseline['images']:,} test images of {study.dataset.name}, or the first N of them where a"
        f" protocol ends in @N; `{TRAINING}` are what the net was trained on{held_out}. On the test images, guessing"
        f" has an error of {baseline['chance_top1_err']:.1f} % and a linear classifier ({baseline['linear']}) of"
        f" {baseline['linear_top1_err']:.2f} %; top-5 {baseline['chance_top5_err']:.1f} %"
        f" and {baseline['linear_top5_err']:.2f} %.",
        f"Seeds: {', '.join(map(str, study.seeds))}. Intervals: Wilson for one seed, over seeds for several.",
        *reductions(study, rows),
        *findings(rows, baseline),
        *history(board),
        *decided(board),
        "",
        "The two right-hand columns are published ImageNet figures: their order can be compared, their size cannot:",
        "",
        *(f"- {row['entry']}: {row['source']}" for row in rows if row["source"]),
        "",
        "Made by `dvc repro`; a single row's net by `dvc repro train@ENTRY-SEED`.",
    ]
    return "\n".join(lines) + "\n"


def reductions(study: Study, rows: list[Row]) -> list[str]:
    """The entries whose images are reduced otherwise than the study's, which changes what they cost beside others."""
    departing = {
        row["entry"]: row["compact"] for row in rows if row["kind"] == "single" and row["compact"] != study.compact
    }
    if not departing:
        return []
    named = ", ".join(f"{entry} by {factor}" for entry, factor in departing.items())
    return [
        f"The study lowers every net's total stride by {study.compact}; these depart from it: {named}. Their"
        " multiply-adds do not stand to the others' as in the papers."
    ]


def findings(rows: list[Row], baseline: dict[str, Any]) -> list[str]:
    """The rows that a linear classifier beats: no failure of the study, but no success either."""
    found = []
    for row in rows:
        if row["top1_err"] >= baseline["linear_top1_err"] and tested_on(row["protocol"])[0] == "test":
            chance = row["top1_err_high"] >= baseline["chance_top1_err"]
            what = "did not leave chance" if chance else "is not better than the linear classifier"
            how = (
                "with its weights"
                if row["recipe"] == "pretrained"
                else f"by the recipe `{row['recipe']}` at this length"
            )
            found.append(f"- **{row['entry']}** ({row['protocol']}) {what} {how}.")
    return ["", "What a linear classifier beats:", "", *found] if found else []


def history(board: Board) -> list[str]:
    """The steps of the history with their verdicts, and how far the whole order agrees."""
    if not board.steps:
        return []
    lines = [
        "",
        "## The steps of the history",
        "",
        "| step | protocol | top-1 error % | change in points (95 %) | McNemar's p | error, first net = 1: here |"
        " published | verdict |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for step in board.steps:
        cells = (
            f"{step['before']} → {step['after']}",
            step["protocol"],
            f"{step['before_top1_err']:.2f} → {step['after_top1_err']:.2f}",
            f"{step['change']:+.2f} ({step['change_low']:+.2f} to {step['change_high']:+.2f})",
            f"{step['mcnemar_p']:.2g}",
            "" if step["relative_err"] is None else f"{step['relative_err']:.2f}",
            "" if step["relative_headline"] is None else f"{step['relative_headline']:.2f}",
            step["verdict"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    scope = "A verdict holds for these nets at this width and length of training"
    if any(row["seeds"] == 1 for row in board.rows):
        scope += "; with one seed its interval knows the chance of the images, not that of another seed"
    lines += [
        "",
        "History fell at every step: *reproduced* is a fall here too, *reversed* a rise, both with 95 % confidence, and"
        f" *not resolved* is neither. {scope}.",
    ]
    for agreement in board.orders:
        lines += [
            "",
            f"Kendall's tau between this order ({agreement['protocol']}) and that of the published headlines, over"
            f" {len(agreement['entries'])} nets: {agreement['tau']:+.2f}"
            f" ({agreement['tau_low']:+.2f} to {agreement['tau_high']:+.2f}); 1 is the same order, 0 none.",
        ]
    return lines


def decided(board: Board) -> list[str]:
    """The claims that the study's own runs decide, in a table."""
    if not board.claims:
        return []
    lines = ["", "## Claims that these runs decide", "", "| claim | verdict | measured | source |", "|---|---|---|---|"]
    lines += [f"| {row['claim']} | {row['verdict']} | {row['figure']} | {row['source']} |" for row in board.claims]
    return [*lines, "", "*true* and *wrong* with 95 % confidence, for these nets at this width and length of training."]


def published_single(row: Row) -> str:
    """The paper's errors for one net: "40.7 / 18.2 (ten_crop)", with "–" for one that it does not give."""
    errors = [row["single_top1_err"], row["single_top5_err"]]
    if errors == [None, None]:
        return ""
    return f"{' / '.join('–' if error is None else str(error) for error in errors)} ({row['single_protocol']})"


def markdown_row(row: Row) -> str:
    """The board's row as a line of its Markdown table."""
    cells = (
        row["year"] or "",
        row["entry"] if row["kind"] == "single" else f"*{row['entry']}*, ensemble of {row['members']}",
        row["recipe"],
        "" if row["width"] is None else f"{row['width']:g}",
        "" if row["compact"] is None else row["compact"],
        f"{row['param_count']:,}",
        f"{1000 * row['gmacs']:.2f}",
        row["protocol"],
        top1(row),
        f"{row['top5_err']:.2f}",
        published_single(row),
        row["headline_top5_err"] or "",
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def top1(row: Row) -> str:
    """ "14.64 (13.96–15.35)": the top-1 error in % with its interval."""
    return f"{row['top1_err']:.2f} ({row['top1_err_low']:.2f}–{row['top1_err_high']:.2f})"


def narrow(study: Study, rows: list[Row]) -> str:
    """The board as Markdown that fits a column of text."""
    titles = ("year", "entry", "tested by", "top-1 error % (95 %)", "ImageNet, headline: top-5 %")
    lines = [f"# Leaderboard of the study `{study.study}`", "", f"| {' | '.join(titles)} |", "|---:|---|---|---:|---:|"]
    for row in rows:
        entry = row["entry"] if row["kind"] == "single" else f"*{row['entry']}*, ensemble"
        cells = (row["year"] or "", entry, row["protocol"], top1(row), row["headline_top5_err"] or "")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])
