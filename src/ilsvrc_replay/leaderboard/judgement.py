"""Verdicts on pairs of nets: of the history's steps, and of two results of a study.

A verdict is of the nets, not of two weight files, and so needs three seeds of each: Welch's t with the images' share of
the variance, and Holm's correction over all pairs that are judged together.
"""

from __future__ import annotations

import numpy as np

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.statistics.comparisons import LEVEL, compare, holm, too_few
from ilsvrc_replay.statistics.intervals import mcnemar

MEASURES = ("change", "change_low", "change_high", "p", "p_holm", "better", "mcnemar_p", "verdict")
NOT_JUDGED, NOT_RESOLVED = "not judged: ", "not resolved"
SEEN, NOT_SEEN, OPPOSITE = "seen", "not seen", "opposite"  # of claims


def measure(before: np.ndarray, after: np.ndarray, reason: str | None = None) -> Row:
    """What is measured of a pair (MEASURES) by masks (S, N) of the images that each seed has wrong: the change in
    points and, from three seeds on, its 95 % interval, its p, and how likely a run of the second errs less than one of
    the first. Below, the exact p of McNemar for the first seeds' two weight files.

    `verdict` says why there is none, which `reason` may give, or is "" until `settle` gives it.
    """
    found = dict.fromkeys(MEASURES) | {"change": rounded(100 * (after.mean() - before.mean()))}
    if few := too_few(before, after):
        found["mcnemar_p"] = significant(mcnemar(before[0], after[0]))
        return found | {"verdict": f"{NOT_JUDGED}{reason or few}"}
    result = compare(before, after)
    found |= {"change_low": rounded(result.low), "change_high": rounded(result.high), "better": rounded(result.better)}
    if reason:
        return found | {"verdict": f"{NOT_JUDGED}{reason}"}
    return found | {"p": significant(result.p), "verdict": ""}


def settle(rows: list[Row], fell: str, rose: str) -> list[Row]:
    """The rows with verdicts, of all those without one together: `fell`, `rose` or NOT_RESOLVED."""
    adjusted = iter(holm([row["p"] for row in rows if not row["verdict"]]))
    return [row if row["verdict"] else row | decided(row["change"], next(adjusted), fell, rose) for row in rows]


def decided(change: float, p: float, fell: str, rose: str) -> Row:
    """The corrected p of a change, and the verdict that follows from both."""
    return {"p_holm": significant(p), "verdict": NOT_RESOLVED if p >= LEVEL else fell if change < 0 else rose}


def is_judged(verdict: str) -> bool:
    return not verdict.startswith(NOT_JUDGED)


def rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def significant(p: float) -> float:
    return float(f"{p:.3g}")
