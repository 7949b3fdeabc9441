"""The results of a study as plain data: made by build.py, written by render.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]

PARAMS_FILE = "params.json"  # beside the board: the params that it was made with
RUNS_FILE = "runs.json"  # and every entry, resolved

STEP_COLUMNS = (
    "protocol",
    "before",
    "after",
    "before_top1_err",
    "after_top1_err",
    "before_published",
    "after_published",
    "change",
    "change_low",
    "change_high",
    "p",
    "p_holm",
    "better",
    "mcnemar_p",
    "verdict",
)


PART_COLUMNS = ("entry", "series", "part", "of", "measure", "error", "share", "source")
CLAIM_COLUMNS = (
    "id",
    "claim",
    "verdict",
    "unit",  # points of error, or times as many steps; of the change and its bounds, and of what was published
    "change",
    "change_low",
    "change_high",
    "published_change",
    "p_holm",
    "figure",
    "published",
    "source",
    "caveat",
)


class Board(NamedTuple):
    """`rows` for every entry and protocol; `steps` of the history (of STEP_COLUMNS); `orders`, for each protocol how
    far the order of the nets agrees with the published one; `claims` that the runs decide (of CLAIM_COLUMNS); `parts`
    of the errors that are the net's, its crops' and its ensemble's (of PART_COLUMNS); `finding`, what was found in
    sentences; `cards`, in a figure each; `tuning`, every value that stage tune has tried for an entry (of
    search.COLUMNS)."""

    rows: list[Row]
    steps: list[Row]
    orders: list[Row]
    claims: list[Row]
    parts: Sequence[Row] = ()
    finding: Sequence[str] = ()
    cards: Sequence[Row] = ()
    tuning: Sequence[Row] = ()
