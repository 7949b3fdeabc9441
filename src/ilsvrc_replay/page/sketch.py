"""A study's line of nets as a small picture, for the list of studies."""

from __future__ import annotations

from typing import NamedTuple

from ilsvrc_replay.page.results import Results
from ilsvrc_replay.papers.published import in_prose

WIDTH, HEIGHT, MARGIN = 240, 96, 24  # px
ABOVE, BELOW = -8, 17  # px from a dot to the words beside it


class Dot(NamedTuple):
    """A net at `x` and `y`, with its error, its interval from `low` to `high`, and where the words of its error stand
    (its ends and its `words` are at y, too), in px."""

    name: str
    error: float
    x: float
    y: float
    low: float
    high: float
    words: float


def sketch(results: Results) -> list[Dot]:
    """The nets of the history's steps in their order, by the protocol that the page opens with; empty for a study that
    asks for no such line."""
    if results.study.steps is not None:
        return []
    steps = [step for step in results.board["steps"] if step["protocol"] == results.protocol]
    chain = list(dict.fromkeys(step[side] for step in steps for side in ("before", "after")))
    alike = [row for row in results.rows if (row["kind"], row["protocol"]) == ("single", results.protocol)]
    rows = [next(row for row in alike if row["entry"] == entry) for entry in chain]
    ends = [row[f"top1_err_{end}"] for row in rows for end in ("low", "high")] or [0.0]
    unit = (HEIGHT - 2 * MARGIN) / (max(ends) - min(ends) or 1.0)
    gap = (WIDTH - 2 * MARGIN) / max(1, len(rows) - 1)
    found = []
    for number, row in enumerate(rows):
        y, low, high = (MARGIN + (max(ends) - row[f"top1_err{end}"]) * unit for end in ("", "_low", "_high"))
        other = rows[1 if number == 0 else number - 1]  # its line goes there: the words stand on the other side
        words = high + ABOVE if other["top1_err"] < row["top1_err"] else low + BELOW
        places = (MARGIN + gap * number, y, low, high, words)
        name = in_prose(row["entry"], row["architecture"])
        found.append(Dot(name, row["top1_err"], *(round(place, 1) for place in places)))
    return found
