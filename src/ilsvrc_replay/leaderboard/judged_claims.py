"""Verdicts on the claims of papers/run_claims.yaml, by the errors of a study's own runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ilsvrc_replay.leaderboard.board import CLAIM_COLUMNS
from ilsvrc_replay.papers.evidence import Evidence
from ilsvrc_replay.papers.run_claims import RunClaim, run_claims
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run
from ilsvrc_replay.statistics.comparisons import compare, too_few

Wrong = Callable[[str, str], np.ndarray]  # entry and protocol to which images each seed has wrong, (S, N)


def judge(study: Study, runs: Mapping[str, Run], wrong: Wrong) -> list[dict[str, Any]]:
    """A row (of CLAIM_COLUMNS) for every claim that this study can decide."""
    rows = []
    for name, claim in run_claims().items():
        if decidable(study, runs, claim):
            found = measure(claim, wrong)
            values = (name, claim.claim, found.verdict, found.figure, claim.source, "")
            rows.append(dict(zip(CLAIM_COLUMNS, values, strict=True)))
    return rows


def decidable(study: Study, runs: Mapping[str, Run], claim: RunClaim) -> bool:
    """Whether the study has the claim's two entries, tested by its protocols and trained alike but for its subject."""
    if not all(entry in study.entries for entry in claim.entries):
        return False
    tested = all(protocol in study.protocols(entry) for entry in claim.entries for protocol in claim.protocols)
    return tested and claim.fits(*(runs[entry] for entry in claim.entries))


def measure(claim: RunClaim, wrong: Wrong) -> Evidence:
    """Evidence that the claim holds or does not hold, with 95 % confidence, or that decides nothing."""
    first, second = claim.entries
    gains, figures = [], []
    for protocol in claim.protocols:
        masks = wrong(first, protocol), wrong(second, protocol)
        low, high = (-np.inf, np.inf) if too_few(*masks) else compare(*masks)[1:3]
        gains.append((low, high))
        errors = [100 * mask.mean() for mask in masks]
        figures.append(
            f"{first} {errors[0]:.2f} %, {second} {errors[1]:.2f} %: {errors[1] - errors[0]:+.2f} points"
            f" ({low:+.2f} to {high:+.2f}; {protocol})"
        )
    return Evidence("; ".join(figures), holds(claim, gains))


def holds(claim: RunClaim, changes: list[tuple[float, float]]) -> bool | None:
    """Whether the claim holds; None if that is not resolved. `changes`, by protocol, are the intervals of the second
    entry's error minus the first's, in points."""
    if claim.order_of:
        signs = [int(low > 0) - int(high < 0) for low, high in changes]
        return None if 0 in signs else signs[0] != signs[1]
    ((low, high),) = changes
    if claim.margin is not None:
        return True if low > -claim.margin else False if high < -claim.margin else None
    return True if low > 0 else False if high < 0 else None
