"""What changed between two results of a study: its params, and the error of every row.

The statistics are those of the history's steps (leaderboard/judgement.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import wrong_images
from ilsvrc_replay.leaderboard.judgement import MEASURES, NOT_JUDGED, measure, settle
from ilsvrc_replay.leaderboard.wrong_images import Key
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
    *MEASURES,
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
    found = {
        name: [change for change in params(before[name], after[name]) if not is_told(name, change[0], told)]
        for name in names
    }
    same = (
        [change for change in found[names[0]] if all(change in changes for changes in found.values())] if names else []
    )
    lines = [(f"runs.{key}", old, new) for key, old, new in same]
    lines += [
        (f"{name}.{key}", old, new) for name in names for key, old, new in found[name] if (key, old, new) not in same
    ]
    return lines


def is_told(name: str, key: str, told: Collection[str]) -> bool:
    """Whether a difference of params.yaml says what differs in an entry's resolved run: one of the entry's own, or one
    of all entries by its last word."""
    for place in told:
        top, *inner = place.split(".")
        if top == "entries":
            if inner[:1] == [name] and len(inner) > 1 and f".{key}".endswith("." + ".".join(inner[1:])):
                return True
        elif key.rpartition(".")[2] == place.rpartition(".")[2]:
            return True
    return False


def rows(before: Side, after: Side) -> list[dict[str, Any]]:
    """A row (of COLUMNS) for every entry, kind and protocol that both sides have, judged as one family.

    Raises StudyError if they were tested on different images.
    """
    same_images(before, after)
    found = [row(before, after, key) for key in before.rows if key in after.rows]
    return [{column: row[column] for column in COLUMNS} for row in settle(found, fell="better", rose="worse")]


def row(before: Side, after: Side, key: Key) -> dict[str, Any]:
    """What changed of one net, in points of top-1 error, by the images that each seed has wrong (wrong.npz)."""
    old, new = before.rows[key], after.rows[key]
    values = {
        **dict(zip(("entry", "kind", "protocol"), key, strict=True)),
        "images": old["images"],
        "before_seeds": old["seeds"],
        "after_seeds": new["seeds"],
        "before_top1_err": old["top1_err"],
        "after_top1_err": new["top1_err"],
    }
    lacking = " and ".join(side.name for side in (before, after) if side.wrong is None or key not in side.wrong.masks)
    if lacking:
        change = round(new["top1_err"] - old["top1_err"], 4)
        verdict = f"{NOT_JUDGED}no {wrong_images.FILE} in {lacking}"
        return values | dict.fromkeys(MEASURES) | {"change": change, "verdict": verdict}
    masks = [side.wrong.masks[key] for side in (before, after)]
    if np.array_equal(*masks):
        return values | dict.fromkeys(MEASURES) | {"change": 0.0, "verdict": UNCHANGED}
    return values | measure(*masks, "one ensemble" if key[1] == "ensemble" else None)


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
