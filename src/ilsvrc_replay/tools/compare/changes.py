"""What changed between two results of a study: its params, and the error of every row.

The statistics are those of the history's steps (leaderboard/steps.py).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard.wrong_images import Key
from ilsvrc_replay.statistics.intervals import mcnemar, paired_change, sign
from ilsvrc_replay.tools.compare.sides import Side

COLUMNS = (
    "entry",
    "kind",
    "protocol",
    "images",
    "before_seeds",
    "after_seeds",
    "before_top1_err",
    "after_top1_err",
    "change",
    "change_low",
    "change_high",
    "paired",
    "mcnemar_p",
    "verdict",
)
UNCHANGED = "unchanged"


def params(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Every dotted key that differs, with both values, None where a side lacks it. An entry that one side lacks is
    reported whole."""
    found = []
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += params(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append((f"{prefix}{key}", old, new))
    return found


def behind(before: Mapping[str, Any], after: Mapping[str, Any], told: Collection[str]) -> list[tuple[str, Any, Any]]:
    """Differences between the resolved runs of both sides that params.yaml does not show: a published recipe's value, a
    net's source, a library's version. What differs alike in all runs is listed once, without an entry's name."""
    names = [name for name in before if name in after]
    found = {name: params(before[name], after[name]) for name in names}
    same = (
        [change for change in found[names[0]] if all(change in changes for changes in found.values())] if names else []
    )
    lines = [(f"runs.{key}", old, new) for key, old, new in same]
    lines += [
        (f"{name}.{key}", old, new) for name in names for key, old, new in found[name] if (key, old, new) not in same
    ]
    last = {key.rpartition(".")[2] for key in told}
    return [line for line in lines if line[0].rpartition(".")[2] not in last]


def rows(before: Side, after: Side) -> list[dict[str, Any]]:
    """A row (of COLUMNS) for every entry, kind and protocol that both sides have.

    Raises StudyError if they were tested on different images.
    """
    same_images(before, after)
    old, new = before.rows, after.rows
    return [row(before, after, key) for key in old if key in new]


def row(before: Side, after: Side, key: Key) -> dict[str, Any]:
    """`change` is in points of top-1 error, with its 95 % interval. Where both sides have wrong.npz, it is paired by
    image, and McNemar's test compares the first seeds; else it is from the two error rates alone."""
    old, new = before.rows[key], after.rows[key]
    change = new["top1_err"] - old["top1_err"]
    masks = [side.wrong.masks.get(key) if side.wrong else None for side in (before, after)]
    paired = all(mask is not None for mask in masks)
    if paired:
        low, high = paired_change(*masks)
        probability = float(f"{mcnemar(masks[0][0], masks[1][0]):.3g}")
    else:
        (low, high), probability = unpaired(old, new), None
    values = (
        *key,
        old["images"],
        old["seeds"],
        new["seeds"],
        *(round(value, 4) for value in (old["top1_err"], new["top1_err"], change, low, high)),
        paired,
        probability,
        UNCHANGED if paired and np.array_equal(*masks) else verdict(low, high),
    )
    return dict(zip(COLUMNS, values, strict=True))


def unpaired(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[float, float]:
    """The 95 % interval of the change between two error rates of which only the intervals are known.

    Newcombe 1998, method 10, which joins two Wilson intervals; with intervals over seeds it is Zou & Donner's MOVER
    (2008). Wider than a paired one, as it takes the two tests for independent.
    """
    change = after["top1_err"] - before["top1_err"]
    down = (after["top1_err"] - after["top1_err_low"], before["top1_err_high"] - before["top1_err"])
    up = (after["top1_err_high"] - after["top1_err"], before["top1_err"] - before["top1_err_low"])
    return change - math.hypot(*down), change + math.hypot(*up)


def verdict(low: float, high: float) -> str:
    """What a change with this interval amounts to."""
    return {-1: "better", 1: "worse", 0: "not resolved"}[sign(low, high)]


def same_images(before: Side, after: Side) -> None:
    """Raises StudyError if the two sides cannot have been tested on the same images."""
    old, new = before.rows, after.rows
    shared = [(old[key], new[key]) for key in old if key in new] or zip(old.values(), new.values(), strict=False)
    for first, second in ((tested(a), tested(b)) for a, b in shared):
        if first != second:
            raise StudyError(f"{before.name} was tested on {first}, {after.name} on {second}: they cannot be compared")
    if before.wrong and after.wrong and before.wrong.labels_sha256 != after.wrong.labels_sha256:
        raise StudyError(f"{before.name} and {after.name} were tested on different images: they cannot be compared")


def tested(row: Mapping[str, Any]) -> str:
    return f"{row['images']:,} images of {row['dataset']}"
