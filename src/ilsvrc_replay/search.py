"""The search for a value of an entry's recipe: what is tried, what came out, and which value it chooses.

Every value is trained for the same share of the entry's own length, the schedule shrunk with it, and judged by the last
error on validation images: equal budgets, as Sivaprasad et al. 2020 (arXiv 1910.11758) ask for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ilsvrc_replay.run import Run

CHOSEN, TRAINED, DIVERGED, AT_EDGE = "chosen", "trained", "diverged", "chosen, at the grid's edge"
FIGURES = ("steps", "epoch", "train_loss", "val_loss", "val_top1_err", "val_top5_err")
COLUMNS = ("entry", "key", "value", *FIGURES, "outcome")  # of search.csv
Row = dict[str, Any]


def trial(run: Run, value: float) -> Run:
    """The run with `value` in its recipe, for the search's share of its epochs."""
    return run.with_recipe(**{run.search.key: value, "epochs": run.search.share * run.recipe.epochs})


def diverged(curve: Sequence[Mapping[str, float]]) -> bool:
    """Whether the last validation found a loss that is not a number."""
    return bool(curve) and not all(math.isfinite(curve[-1][key]) for key in ("train_loss", "val_loss"))


def row(run: Run, value: float, curve: Sequence[Mapping[str, float]]) -> Row:
    """What came of a value (of COLUMNS), by the last row of its training's curve; no figure that is not a number."""
    last = dict(curve[-1]) | {"steps": curve[-1]["step"]}
    figures = {key: last[key] if math.isfinite(last[key]) else None for key in FIGURES}
    outcome = DIVERGED if diverged(curve) else TRAINED
    return {"entry": run.entry, "key": run.search.key, "value": value, **figures, "outcome": outcome}


def choose(rows: Sequence[Row]) -> list[Row] | None:
    """The rows with the chosen one marked: of the lowest validation error, among equals the lowest loss; None if all
    diverged. At the grid's edge, where lower or higher values were not tried, a better one may lie outside."""
    sound = [row for row in rows if row["outcome"] != DIVERGED]
    if not sound:
        return None
    best = min(sound, key=lambda row: (row["val_top1_err"], row["val_loss"]))
    values = [row["value"] for row in rows]
    outcome = AT_EDGE if best["value"] in (min(values), max(values)) else CHOSEN
    return [row | {"outcome": outcome} if row is best else row for row in rows]


def chosen(rows: Sequence[Row]) -> Row:
    """The row that `choose` marked."""
    return next(row for row in rows if row["outcome"] in (CHOSEN, AT_EDGE))
