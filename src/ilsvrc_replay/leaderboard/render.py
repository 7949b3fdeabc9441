"""The leaderboard as files: CSV for programs, JSON with its context, Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ilsvrc_replay import files, search
from ilsvrc_replay.evaluation.protocols import TRAINING, VALIDATION, tested_on
from ilsvrc_replay.leaderboard import steps, tunings
from ilsvrc_replay.leaderboard.board import (
    CLAIM_COLUMNS,
    PARAMS_FILE,
    PART_COLUMNS,
    RUNS_FILE,
    STEP_COLUMNS,
    Board,
    Row,
)
from ilsvrc_replay.leaderboard.floors import images_of, linear_errors, shortfall
from ilsvrc_replay.leaderboard.judgement import NOT_RESOLVED
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run


def write(folder: Path, study: Study, runs: Mapping[str, Run], board: Board, baseline: dict[str, Any]) -> None:
    """Write the board into `folder`: leaderboard.csv, .json and .md, a table for each of its other parts, the params
    and the resolved runs."""
    files.write_text(folder / "leaderboard.csv", files.as_csv(board.rows))
    files.write_text(folder / "steps.csv", files.as_csv(board.steps, STEP_COLUMNS))
    files.write_text(folder / "parts.csv", files.as_csv(board.parts, PART_COLUMNS))
    files.write_text(folder / "tuning.csv", files.as_csv(board.tuning, search.COLUMNS))
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
        *([study.question, ""] if study.question else []),
        *([" ".join(board.finding), ""] if board.finding else []),
        "| year | entry | recipe | width | compact | parameters | MMACs | protocol | top-1 error % (95 %) |"
        " top-5 error % | published, one net: top-1 / top-5 | published headline: top-5 |",
        "|---:|---|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
        *(markdown_row(row) for row in rows),
        "",
        f"Measured on {images_of(rows)} of {study.dataset.name}, the first N of them where a protocol ends in @N;"
        f" `{TRAINING}` are what the net was trained on{held_out}. On them, guessing has an error of"
        f" {baseline['chance_top1_err']:.1f} % and a linear classifier ({baseline['linear']}) of"
        f" {linear_errors(rows, baseline)}{of_five(rows, baseline)}.",
        f"Seeds: {', '.join(map(str, study.seeds))}. Intervals: Wilson's for one seed and for ensembles;"
        " for several seeds the wider of Wilson's and the seeds'.",
        *tunings.sentences(board.tuning, study),
        *reductions(study, rows),
        *findings(rows, baseline),
        *judged(board, own=study.steps is not None),
        *decided(board),
        "",
        "The two right-hand columns are published ImageNet figures: their order can be compared, their size cannot:",
        "",
        *(f"- {row['entry']}: {row['source']}" for row in rows if row["source"]),
        "",
        "Made by `dvc repro`; a single row's net by `dvc repro train@ENTRY-SEED`.",
    ]
    return "\n".join(lines) + "\n"


def of_five(rows: list[Row], baseline: dict[str, Any]) -> str:
    """The top-5 errors of both, which are known of test images."""
    if any(tested_on(row["protocol"])[0] != "test" for row in rows):
        return ""
    return f"; top-5 {baseline['chance_top5_err']:.1f} % and {baseline['linear_top5_err']:.2f} %"


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
        what = shortfall(row["top1_err"], row["top1_err_high"], baseline, row["protocol"])
        if what and tested_on(row["protocol"])[0] == "test":
            how = (
                "with its weights"
                if row["recipe"] == "pretrained"
                else f"by the recipe `{row['recipe']}` at this length"
            )
            found.append(f"- **{row['entry']}** ({row['protocol']}) {what} {how}.")
    return ["", "What a linear classifier beats:", "", *found] if found else []


def judged(board: Board, own: bool = False) -> list[str]:
    """The steps of the history, or a study's `own`, with their verdicts, and how far the whole order agrees."""
    if not board.steps:
        return []
    lines = [
        "",
        "## What the changes did" if own else "## The steps of the history",
        "",
        "| step | protocol | top-1 error % | change in points (95 %) | p | p, Holm | P(later errs less) |"
        " published, one net: top-5 | verdict |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
        *(f"| {' | '.join(step_cells(step))} |" for step in board.steps),
        "",
        how_judged(own),
    ]
    if any(step["mcnemar_p"] is not None for step in board.steps):
        lines += ["", FEW_SEEDS]
    for agreement in board.orders:
        lines += ["", order_sentence(agreement)]
    return lines


def how_judged(own: bool) -> str:
    """What the verdicts on the history's steps mean, or on a study's `own`."""
    history = "" if own else "In history the error of the challenge's entries fell at every step. "
    fell, rose = (steps.LOWER, steps.HIGHER) if own else (steps.AS_IN_HISTORY, steps.REVERSED)
    return (
        f"{history}A step is judged from three seeds of both nets on, by Welch's t-test over the seeds, with the"
        " variance due to the choice of test images added, and Holm's correction over the steps by all protocols at"
        f" 5 %: “{fell}” is a fall, “{rose}” a rise, “{NOT_RESOLVED}” is neither. Intervals and p are of each step"
        " alone, so that an interval may leave out 0 where the corrected p resolves nothing. A net that does not beat"
        " the linear classifier is not judged. Verdicts hold for these nets at this width and length of training."
    )


FEW_SEEDS = (
    "With fewer than three seeds p is McNemar's exact one, of the first seeds' two weight files, not of the two nets."
)


def step_cells(step: Row) -> tuple[str, ...]:
    """A step as the cells of its row in Markdown; what was not measured is empty."""
    low, high = step["change_low"], step["change_high"]
    published = [step["before_published"], step["after_published"]]
    p, alone = step["p"], step["mcnemar_p"]
    return (
        f"{step['before']} → {step['after']}",
        step["protocol"],
        f"{step['before_top1_err']:.2f} → {step['after_top1_err']:.2f}",
        f"{step['change']:+.2f}" + ("" if low is None else f" ({low:+.2f} to {high:+.2f})"),
        f"{p:.2g}" if p is not None else "" if alone is None else f"McNemar {alone:.2g}",
        "" if step["p_holm"] is None else f"{step['p_holm']:.2g}",
        "" if step["better"] is None else f"{step['better']:.2f}",
        " → ".join("–" if error is None else f"{error}" for error in published),
        step["verdict"],
    )


def order_sentence(agreement: Row) -> str:
    """How far the order of the nets agrees with that of their papers' single nets."""
    untrained = ", ".join(agreement["untrained"])
    without = f" Left out, as they did not train: {untrained}." if untrained else ""
    return (
        f"Kendall's tau between the order of the single nets here ({agreement['protocol']}) and that of their papers'"
        f" own single nets by top-5 error, each by its paper's protocol, over {len(agreement['entries'])} nets:"
        f" {agreement['tau']:+.2f}, p = {agreement['p']:.2g} by permutations of the nets; 1 is the same order,"
        f" 0 none.{without}"
    )


def decided(board: Board) -> list[str]:
    """The claims that the study's own runs look into, in a table."""
    if not board.claims:
        return []
    titles = ("claim", "in this experiment", "measured", "published", "source")
    lines = ["", "## Claims that these runs look into", "", f"| {' | '.join(titles)} |", "|---|---|---|---|---|"]
    keys = ("claim", "verdict", "figure", "published", "source")
    lines += [f"| {' | '.join(row[key] for key in keys)} |" for row in board.claims]
    return [*lines, "", HOW_SEEN]


HOW_SEEN = (
    "A change above 0 points, or more than once as many steps, is what the claim expects. *Seen*, *not seen* and"
    " *opposite* are of these nets at this width and length of training, by Welch's t-test over the seeds at 5 % with"
    " Holm's correction over all claims. They do not say whether a claim is true of the papers' nets."
)


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


def narrow(study: Study, board: Mapping[str, Any]) -> str:
    """The content of leaderboard.json as Markdown that fits a column of text: question, finding, rows."""
    titles = ("year", "entry", "tested by", "top-1 error % (95 %)", "ImageNet, headline: top-5 %")
    lines = [f"# {study.question or f'Leaderboard of the study `{study.study}`'}", ""]
    lines += [" ".join(board["finding"]), ""] if board["finding"] else []
    lines += [f"| {' | '.join(titles)} |", "|---:|---|---|---:|---:|"]
    for row in board["rows"]:
        entry = row["entry"] if row["kind"] == "single" else f"*{row['entry']}*, ensemble"
        cells = (row["year"] or "", entry, row["protocol"], top1(row), row["headline_top5_err"] or "")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])
