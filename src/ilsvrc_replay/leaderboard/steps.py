"""Verdicts on the steps of the challenge's history: did each net beat the one before it here, too?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ilsvrc_replay.leaderboard.board import STEP_COLUMNS
from ilsvrc_replay.papers.published import find
from ilsvrc_replay.params import Study
from ilsvrc_replay.statistics.intervals import bootstrap, interval, mcnemar, order_agreement, sign

# The winners and others that became famous, in order; of each line, the first net that the study has.
HISTORY = (
    ("alexnet",),
    ("zfnet", "zfnet_b"),
    ("vgg16", "vgg19"),
    ("googlenet",),
    ("resnet152", "resnet101", "resnet50", "resnet34", "resnet18"),
    ("inception_v4",),
)


def milestones(study: Study, tested: Collection[str]) -> list[str]:
    """The `tested` entries that stand for the steps of the history, the earliest first."""
    chosen = []
    for alternatives in HISTORY:
        present = [name for net in alternatives for name in tested if study.net(name).architecture == net]
        chosen += present[:1]
    return chosen


def steps(study: Study, protocol: str, wrong: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """A row (of STEP_COLUMNS) for every step between two milestones of the study.

    `wrong`: by entry, the images that each seed has wrong under `protocol`, masks (S, N). `change` is in points of
    top-1 error, with the interval of a paired bootstrap; McNemar's test compares the first seeds. Relative figures are
    ratios to the first milestone.
    """
    names = milestones(study, wrong)
    if len(names) < 2:
        return []
    stacked = np.stack([wrong[name] for name in names])
    errors, draws = 100 * stacked.mean((1, 2)), bootstrap(stacked)
    headlines = [headline(study, name) for name in names]
    rows = []
    for old, new in zip(range(len(names) - 1), range(1, len(names)), strict=True):
        low, high = interval(draws[:, new] - draws[:, old])
        values = (
            protocol,
            names[old],
            names[new],
            *(round(float(value), 4) for value in (errors[old], errors[new], errors[new] - errors[old], low, high)),
            round(float(errors[new] / errors[0]), 4) if errors[0] else None,
            round(headlines[new] / headlines[0], 4) if headlines[new] and headlines[0] else None,
            float(f"{mcnemar(stacked[old, 0], stacked[new, 0]):.3g}"),
            verdict(low, high),
        )
        rows.append(dict(zip(STEP_COLUMNS, values, strict=True)))
    return rows


def verdict(low: float, high: float) -> str:
    """Whether a change with this interval reproduces history, in which the error fell at every step."""
    return {-1: "reproduced", 1: "reversed", 0: "not resolved"}[sign(low, high)]


def order(study: Study, protocol: str, wrong: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Kendall's tau between the measured order and that of the published headlines, over all entries that have one;
    None for fewer than two."""
    names = [name for name in wrong if headline(study, name)]
    figures = np.array([headline(study, name) for name in names])
    if len(set(figures)) < 2:
        return None
    stacked = np.stack([wrong[name] for name in names])
    low, high = interval(np.nan_to_num([order_agreement(errors, figures) for errors in bootstrap(stacked)]))
    tau = order_agreement(stacked.mean((1, 2)), figures)
    values = {"tau": tau, "tau_low": low, "tau_high": high}
    return {
        "protocol": protocol,
        **{key: round(float(np.nan_to_num(value)), 4) for key, value in values.items()},
        "entries": names,
    }


def headline(study: Study, name: str) -> float | None:
    """The published top-5 error in % of an entry's famous ensemble."""
    record = find(study.net(name).architecture)
    return record.headline.top5_err if record and record.headline else None
