"""Verdicts on the claims that a study's own runs decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ilsvrc_replay.leaderboard.board import CLAIM_COLUMNS
from ilsvrc_replay.papers.trials import Trial, trials
from ilsvrc_replay.papers.verdict import Measured
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run
from ilsvrc_replay.statistics.intervals import paired_change, sign

Wrong = Callable[[str, str], np.ndarray]  # entry and protocol to which images each seed has wrong, (S, N)


def judge(study: Study, runs: Mapping[str, Run], wrong: Wrong) -> list[dict[str, Any]]:
    """A row (of CLAIM_COLUMNS) for every claim whose entries the study has, trained alike, and whose protocols."""
    rows = []
    for name, trial in trials().items():
        if decidable(study, runs, trial):
            found = measure(trial, wrong)
            values = (name, trial.claim, found.verdict, found.figure, trial.source, "")
            rows.append(dict(zip(CLAIM_COLUMNS, values, strict=True)))
    return rows


def decidable(study: Study, runs: Mapping[str, Run], trial: Trial) -> bool:
    if not all(entry in study.entries for entry in trial.entries):
        return False
    tested = all(protocol in study.protocols(entry) for entry in trial.entries for protocol in trial.protocols)
    return tested and trial.fits(*(runs[entry] for entry in trial.entries))


def measure(trial: Trial, wrong: Wrong) -> Measured:
    """What the errors say of the claim: with 95 % confidence that it holds, that it does not, or neither."""
    first, second = trial.entries
    gains, figures = [], []
    for protocol in trial.protocols:
        masks = wrong(first, protocol), wrong(second, protocol)
        low, high = paired_change(*masks)
        gains.append((low, high))
        errors = [100 * mask.mean() for mask in masks]
        figures.append(
            f"{first} {errors[0]:.2f} %, {second} {errors[1]:.2f} %: {errors[1] - errors[0]:+.2f} points"
            f" ({low:+.2f} to {high:+.2f}; {protocol})"
        )
    return Measured("; ".join(figures), holds(trial, gains))


def holds(trial: Trial, changes: list[tuple[float, float]]) -> bool | None:
    """`changes` are the intervals of the second entry's error less the first's, in points, by protocol."""
    if trial.order_of:
        signs = [sign(low, high) for low, high in changes]
        return None if 0 in signs else signs[0] != signs[1]
    ((low, high),) = changes
    if trial.margin is not None:
        return True if low > -trial.margin else False if high < -trial.margin else None
    return {1: True, -1: False, 0: None}[sign(low, high)]
