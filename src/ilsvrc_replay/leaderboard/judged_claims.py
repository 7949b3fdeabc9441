"""What a study's own runs say on the claims of papers/run_claims.yaml: seen, not seen or opposite, in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, log
from typing import Any, NamedTuple

import numpy as np

from ilsvrc_replay.leaderboard.board import CLAIM_COLUMNS, Row
from ilsvrc_replay.leaderboard.floors import AT_CHANCE, shortfall_of
from ilsvrc_replay.leaderboard.judgement import NOT_JUDGED, NOT_SEEN, OPPOSITE, SEEN, rounded, significant
from ilsvrc_replay.leaderboard.predictions import Masks
from ilsvrc_replay.papers.run_claims import RunClaim, run_claims
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run
from ilsvrc_replay.statistics.comparisons import LEVEL, MOST_SEEDS, holm, image_variance, seeds_needed, too_few, welch

Curve = Sequence[Mapping[str, float]]


class Findings(NamedTuple):
    """What a study's runs left: which images each row of the board has wrong, masks (S, N); the errors that a net must
    beat; and by entry the curve of each seed, read where it is asked for."""

    wrong: Masks
    baseline: Mapping[str, Any]
    curves: Callable[[str], list[Curve]]


class Measured(NamedTuple):
    """A measure of the claim's two entries, one for each seed, larger where the claim wants it larger.

    `image_variance` is the share that test images have in the variance of its change; `logarithms` says that a change
    is a ratio; `reason` why it decides nothing; `late`, how many runs of each did not get there.
    """

    first: np.ndarray
    second: np.ndarray
    image_variance: float = 0.0
    logarithms: bool = False
    reason: str | None = None
    late: tuple[int, int] = (0, 0)


def judge(study: Study, runs: Mapping[str, Run], findings: Findings) -> list[Row]:
    """A row (of CLAIM_COLUMNS) for every claim that this study looks into, with Holm's correction over them all."""
    claims = {name: claim for name, claim in run_claims().items() if decidable(study, runs, claim)}
    found = {name: measure(claim, findings) for name, claim in claims.items()}
    changes = {
        name: welch(made.first, made.second + (claims[name].margin or 0), made.image_variance)
        for name, made in found.items()
        if not made.reason
    }
    adjusted = dict(zip(changes, holm([float(change.p) for change in changes.values()]), strict=True))
    return [row(name, claim, runs, found[name], adjusted.get(name)) for name, claim in claims.items()]


def row(name: str, claim: RunClaim, runs: Mapping[str, Run], made: Measured, p: float | None) -> Row:
    """A claim with what was measured; without it, if that has no corrected p."""
    change, low, high = (None, None, None) if p is None else change_of(made)
    verdict, figure = f"{NOT_JUDGED}{made.reason}", ""
    if p is not None:
        favour = log(change) if made.logarithms else change + (claim.margin or 0)
        verdict = NOT_SEEN if p >= LEVEL else SEEN if favour > 0 else OPPOSITE
        figure = describe(claim, runs, made, p, favour)
    values = {
        "id": name,
        "claim": claim.claim,
        "verdict": verdict,
        "unit": "times" if made.logarithms else "points",
        "change": rounded(change),
        "change_low": rounded(low),
        "change_high": rounded(high),
        "published_change": claim.published_change,
        "p_holm": None if p is None else significant(p),
        "figure": figure,
        "published": claim.published,
        "source": claim.source,
        "caveat": claim.caveat,
    }
    return {column: values[column] for column in CLAIM_COLUMNS}


def decidable(study: Study, runs: Mapping[str, Run], claim: RunClaim) -> bool:
    """Whether the study has the claim's two entries, tested as it asks and trained alike but for its subject."""
    if not all(entry in study.entries for entry in claim.entries):
        return False
    tested = not claim.protocol or all(claim.protocol in study.protocols(entry) for entry in claim.entries)
    return tested and claim.fits(*(runs[entry] for entry in claim.entries))


def measure(claim: RunClaim, findings: Findings) -> Measured:
    """What the claim compares, of the study's runs."""
    if claim.protocol:
        return errors(claim, findings)
    return lengths(claim, findings)


def errors(claim: RunClaim, findings: Findings) -> Measured:
    """The errors in points. A net that did not leave chance decides nothing, nor do two that a linear classifier beats:
    that one of them fits its images so badly may be what is claimed."""
    masks = [findings.wrong[entry, "single", claim.protocol] for entry in claim.entries]
    short = {
        entry: shortfall_of(mask, findings.baseline, claim.protocol)
        for entry, mask in zip(claim.entries, masks, strict=True)
    }
    lost = [entry for entry, reason in short.items() if reason == AT_CHANCE] or list(short) * all(short.values())
    reason = f"{' and '.join(lost)} did not train" if lost else too_few(*masks)
    first, second = (100 * mask.mean(1) for mask in masks)
    return Measured(first, second, 0.0 if reason else image_variance(*masks), reason=reason)


def lengths(claim: RunClaim, findings: Findings) -> Measured:
    """The logarithms of the steps to an error. A run that did not get there counts with its whole length, which is too
    little: so the difference is at least as large as measured, if all runs of one entry got there."""
    found = {entry: [steps_to(curve, claim.steps_to) for curve in findings.curves(entry)] for entry in claim.entries}
    first, second = (sum(not there for _, there in runs) for runs in found.values())
    early = [entry for entry, runs in found.items() if any(steps is None for steps, _ in runs)]
    reason = too_few(*found.values())
    if early:
        reason = f"{early[0]} was there before its first validation"
    elif first and second:
        reason = "; ".join(
            f"{late} of {len(found[entry])} runs of {entry} did not get there"
            for entry, late in zip(claim.entries, (first, second), strict=True)
        )
    logs = [np.log([steps or 1 for steps, _ in runs]) for runs in found.values()]
    return Measured(*logs, logarithms=True, reason=reason, late=(first, second))


def steps_to(curve: Curve, error: float) -> tuple[float | None, bool]:
    """The steps after which a training had this top-1 error in % on its held-out images, between two validations along
    a line, and whether it had; None for the steps if it had already at the first validation."""
    for before, after in zip((None, *curve), curve, strict=False):
        if after["val_top1_err"] <= error:
            if before is None:
                return None, True
            share = (before["val_top1_err"] - error) / (before["val_top1_err"] - after["val_top1_err"])
            return before["step"] + share * (after["step"] - before["step"]), True
    return curve[-1]["step"], False


def change_of(made: Measured) -> tuple[float, float | None, float | None]:
    """The change in the claim's favour with its 95 % interval, in points or in times as many steps. Where runs of one
    entry did not get there it is a bound, and the interval is open to that side."""
    found = welch(made.first, made.second, made.image_variance)
    change, low, high = (float(value) for value in (found.change, found.low, found.high))
    if not made.logarithms:
        return change, low, high
    first, second = made.late
    return exp(change), None if first else exp(low), None if second else exp(high)


def describe(claim: RunClaim, runs: Mapping[str, Run], made: Measured, p: float, favour: float) -> str:
    """What was measured, in a line; of what was not seen also how many seeds would show a difference as large, which
    `favour`, above 0, has on the claim's side."""
    change, low, high = change_of(made)
    arms = (made.first, made.second)
    if made.logarithms:
        sizes = [
            length(exp(float(arm.mean())), len(arm), late, claim.steps_to)
            for arm, late in zip(arms, made.late, strict=True)
        ]
        text = ratio(change, low, high)
    else:
        sizes = [f"{float(arm.mean()):.2f} %" for arm in arms]
        text = f"{change:+.2f} points ({low:+.2f} to {high:+.2f}; {claim.protocol})"
    named = ", ".join(f"{entry} {size}" for entry, size in zip(claim.entries, sizes, strict=True))
    against = f" against a gain of {claim.margin:g} points" if claim.margin else ""
    parts = [f"{named}: {text}, p = {p:.2g} by Holm{against}", *chosen(claim, runs)]
    if p >= LEVEL:
        needed = seeds_needed(favour, *(float(arm.std(ddof=1)) for arm in arms), made.image_variance)
        wanted = f"{needed} seeds" if needed else f"more than {MOST_SEEDS:,} seeds or other images"
        side = ", which is against the claim," if favour < 0 else ""
        parts.append(f"{wanted} would show this difference{side} four times in five")
    return "; ".join(parts)


def length(steps: float, runs: int, late: int, error: float) -> str:
    """How long the runs of an entry took to an error, where `late` of them did not get there."""
    if late == runs:
        return f"not at {error:g} % after {steps:,.0f} steps in any of {runs} runs"
    missing = f" ({late} of {runs} runs did not get there)" if late else ""
    return f"{steps:,.0f} steps to {error:g} %{missing}"


def ratio(value: float, low: float | None, high: float | None) -> str:
    """How many times as many steps the second entry took; a bound, where the interval is open."""
    if high is None:
        return f"at least {value:.2f} times as many (no fewer than {low:.2f})"
    if low is None:
        return f"at most {value:.2f} times as many (no more than {high:.2f})"
    return f"{value:.2f} times as many ({low:.2f} to {high:.2f})"


def chosen(claim: RunClaim, runs: Mapping[str, Run]) -> list[str]:
    """Which values stage tune chose for the two entries, and whether a better one may lie outside of what it tried."""
    searches = [runs[entry].search for entry in claim.entries]
    if not all(searches):
        return []
    key, values = searches[0].key, searches[0].values
    best = [named(getattr(runs[entry].recipe, key), values) for entry in claim.entries]
    return [f"at {key} {best[0]} and {best[1]}, each its best of {len(values)}"]


def named(value: float, tried: Sequence[float]) -> str:
    """A chosen value; at the edge of what was tried, where a better one may lie outside."""
    ends = {min(tried): " (the lowest tried)", max(tried): " (the highest tried)"}
    return f"{value:g}{ends.get(value, '')}"
