"""The results of a study as plain data: made by build.py, written by render.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import explain

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


class RowShape(BaseModel):
    """What every row has, whichever code wrote it."""

    entry: str
    kind: Literal["single", "ensemble"]
    protocol: str
    images: int
    year: int | None
    recipe: str
    top1_err: float
    top1_err_low: float
    top1_err_high: float
    headline_top5_err: float | None


class BaselineShape(BaseModel):
    chance_top1_err: float
    linear_top1_err: float


class Shape(BaseModel):
    rows: list[RowShape] = Field(min_length=1)
    baseline: BaselineShape


def read(folder: Path) -> dict[str, Any]:
    """The content of a folder's leaderboard.json. Raises StudyError if there is none, or if it is no board."""
    path = folder / "leaderboard.json"
    try:
        return parse(path.read_bytes())
    except FileNotFoundError:
        raise StudyError(f"{folder} holds no leaderboard yet: run `make study` or `dvc repro`") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{path} is damaged ({error}): `dvc repro --force aggregate` makes it anew") from None


def parse(content: bytes) -> dict[str, Any]:
    """What leaderboard.json holds. Raises ValueError, with one line, if it is no board."""
    found = parse_object(content)
    try:
        Shape.model_validate(found)
    except ValidationError as error:
        raise ValueError(explain(error.errors()[0])) from None
    return found


def parse_object(content: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError, with one line, if it is none."""
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it holds no keys")
    return found
