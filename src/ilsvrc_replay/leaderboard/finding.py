"""What a study found, in sentences made from its data: for the head of its page, its board and the list of studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ilsvrc_replay.leaderboard import judgement
from ilsvrc_replay.leaderboard.board import Board, Row
from ilsvrc_replay.leaderboard.floors import classes_of
from ilsvrc_replay.leaderboard.judgement import NOT_JUDGED, NOT_RESOLVED, NOT_SEEN, OPPOSITE, SEEN
from ilsvrc_replay.leaderboard.parts import HERE, PUBLISHED
from ilsvrc_replay.leaderboard.steps import AS_IN_HISTORY, HIGHER, LOWER, NOT_TRAINED, REVERSED
from ilsvrc_replay.papers.published import in_prose
from ilsvrc_replay.params import Study
from ilsvrc_replay.statistics.comparisons import LEVEL

HISTORY = ("step of the history", "steps of the history")
ERA_EPOCHS = 70  # of the shortest of the papers' recipes, ZFNet's
ENOUGH_CLASSES = 50  # with fewer, hardly any image can be wrong by top-5


def measure_of(baseline: Mapping[str, Any]) -> str:
    """The error that stands beside the papers' top-5 error: top-5, or top-1 where the data set has few classes."""
    return "top5_err" if classes_of(baseline) >= ENOUGH_CLASSES else "top1_err"


def sentences(study: Study, board: Board, wrong: Mapping[str, np.ndarray], protocol: str) -> list[str]:
    """What the study found by `protocol`, the main thing first, and which claims it saw; nothing where it has none of
    these.

    `wrong`: by entry, the images that each seed has wrong by top-1, masks (S, N).
    """
    steps, names = steps_by(board, protocol), names_of(study)
    order = next((order for order in board.orders if order["protocol"] == protocol), None)
    found = []
    if study.steps is None and len(steps) > 1 and all(trained(step) for step in (steps[0], steps[-1])):
        errors = {row["entry"]: row for row in board.rows if row["kind"] == "single" and row["protocol"] == protocol}
        found.append(fall(steps[0]["before"], steps[-1]["after"], errors, wrong, names))
    if steps:
        found.append(of_steps(steps, names, *(HISTORY if study.steps is None else ("comparison", "comparisons"))))
        found += [of_reversed(step, names) for step in steps if step["verdict"] == REVERSED and rose_alone(step)]
    if order:
        found.append(of_order(order))
    return found + of_claims(board.claims)


def steps_by(board: Board, protocol: str) -> list[Row]:
    """The steps as they were judged by `protocol`."""
    return [step for step in board.steps if step["protocol"] == protocol]


def names_of(study: Study) -> dict[str, str]:
    """What prose calls the nets of a study, by entry."""
    return {entry: in_prose(entry, study.net(entry).architecture) for entry in study.entries}


def of_claims(claims: Sequence[Row]) -> list[str]:
    """Which claims were seen and which were not, a sentence for each verdict."""
    found = []
    for verdict in (SEEN, OPPOSITE, NOT_SEEN, NOT_JUDGED.removesuffix(": ")):
        named = [claim["claim"].removesuffix(".") for claim in claims if claim["verdict"].partition(":")[0] == verdict]
        if named:
            found.append(f"{verdict.capitalize()}: {'; '.join(named)}.")
    return found


def trained(step: Row) -> bool:
    """Whether both nets of a step count as trained."""
    return not step["verdict"].endswith(NOT_TRAINED)


def fall(
    first: str, last: str, errors: Mapping[str, Row], wrong: Mapping[str, np.ndarray], names: Mapping[str, str]
) -> str:
    """How the error changed from the first net of the history to the last one."""
    before, after = errors[first], errors[last]
    p = judgement.measure(wrong[first], wrong[last])["p"]
    numbers = f"from {before['top1_err']:.2f} to {after['top1_err']:.2f} % top-1"
    if before["top5_err"] >= 1:
        numbers += f", and from {before['top5_err']:.2f} to {after['top5_err']:.2f} % top-5"
    error = f"From {names[first]} to {names[last]} the error"
    if p is None:
        return f"{error} goes {numbers}; with so few seeds that is not judged."
    if p >= LEVEL:
        return f"{error} does not change measurably: {numbers}."
    if not before["top1_err"]:
        return f"{error} rises: {numbers}."
    by = after["top1_err"] / before["top1_err"] - 1
    return f"{error} {'falls' if by < 0 else 'rises'} by {percent(abs(by))}: {numbers}."


def of_steps(steps: list[Row], names: Mapping[str, str], noun: str, many: str) -> str:
    """How many steps are resolved, which of them otherwise than in history, and the largest."""
    judged = [step for step in steps if judgement.is_judged(step["verdict"])]
    if not judged:
        reasons = dict.fromkeys(step["verdict"].partition(": ")[2] for step in steps)
        return f"No {noun} is judged: {', '.join(reasons)}."
    resolved = [step for step in judged if step["verdict"] != NOT_RESOLVED]
    if not resolved:
        return f"No {noun} is resolved, of {len(judged)} judged."
    down, up = ("as in history", "reversed") if noun == HISTORY[0] else ("lower", "higher")
    if len(steps) == 1:
        (step,) = steps
        side = up if step["verdict"] in (REVERSED, HIGHER) else down
        return f"{named(step, names)} is resolved, {side}: {signed_points(step['change'])}."
    rose = [named(step, names) for step in resolved if step["verdict"] in (REVERSED, HIGHER)]
    fell = len(resolved) - len(rose)
    verb = "is" if len(resolved) == 1 else "are"
    count = "All" if len(resolved) == len(steps) else f"{len(resolved)} of"
    subject = f"{count} {len(steps)} {many}"
    found = [f"{fell} {down}"] * bool(fell) + [f"{' and '.join(rose)} {up}"] * bool(rose)
    largest = min(resolved, key=lambda step: step["change"])
    most = f" The largest fall is {named(largest, names)}, {-largest['change']:.1f} points." if fell else ""
    return f"{subject} {verb} resolved: {', '.join(found)}.{most}"


def rose_alone(step: Row) -> bool:
    """Whether the papers' single nets err more after a step, whose ensembles erred less in the challenge."""
    before, after = step["before_published"], step["after_published"]
    return None not in (before, after) and after > before


def of_reversed(step: Row, names: Mapping[str, str]) -> str:
    """What the papers say of a step that came out reversed, where they do not agree with one another either."""
    return (
        f"For {named(step, names)} the papers point both ways: the ensembles of the challenge fell, the single nets"
        f" rose from {step['before_published']:g} to {step['after_published']:g} % top-5, each tested as its paper did."
    )


def of_order(order: Row) -> str:
    """How far the order of the nets agrees with the papers'."""
    found = "resembles" if order["tau"] > 0 else "contradicts" if order["tau"] < 0 else "has nothing of"
    chance = "" if order["p"] < LEVEL else ", which may be chance"
    return (
        f"The order of the {len(order['entries'])} single nets {found} their papers'{chance}: Kendall's tau"
        f" {order['tau']:+.2f}, p = {order['p']:.2g}."
    )


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def named(step: Row, names: Mapping[str, str]) -> str:
    return f"{names[step['before']]} to {names[step['after']]}"


def cards(study: Study, board: Board, protocol: str) -> list[Row]:
    """Up to three findings in a figure each: the largest step, what crops and ensembles moved, what the recipe moved.

    A card has `title`, `figure` and `text`.
    """
    step = largest_step(steps_by(board, protocol), names_of(study))
    return [card for card in (step, moved(board.parts), of_recipe(board.rows, protocol)) if card]


def largest_step(steps: list[Row], names: Mapping[str, str]) -> Row | None:
    """The step with the largest fall that is resolved."""
    fallen = [step for step in steps if step["verdict"] in (AS_IN_HISTORY, LOWER)]
    if not fallen:
        return None
    step = min(fallen, key=lambda step: step["change"])
    published = step["before_published"], step["after_published"]
    text = f"{named(step, names)}: {step['before_top1_err']:.2f} to {step['after_top1_err']:.2f} % top-1 error."
    if all(published):
        text += f" In the papers, top-5 of one net: {published[0]:g} to {published[1]:g} %."
    return {"title": "The largest step", "figure": signed_points(step["change"]), "text": text}


def moved(parts: Sequence[Row]) -> Row | None:
    """What averaging over nets takes of the error of one net by the same protocol, and what crops take of that with one
    crop: the mean over entries, here and in the papers."""
    here, there = taken(parts, HERE), taken(parts, PUBLISHED)
    nets = len(here["ensemble"])
    if not nets:
        return None
    seeds = next(row["of"] for row in parts if row["series"] == HERE and row["part"] == "ensemble").partition(",")[0]
    text = f"of the error when {seeds} are averaged{f', the mean of {nets} entries' if nets > 1 else ''}."
    if there["ensemble"]:
        share = signed(there["ensemble"])
        text += f" In the papers, ensembles of more nets moved the top-5 error by {share}."
    if here["crops"]:
        text += f" More crops than one move it by {signed(here['crops'])} here"
        text += f", and by {signed(there['crops'])} there." if there["crops"] else "."
    return {"title": "Crops and ensembles", "figure": signed(here["ensemble"]), "text": text}


def signed_points(change: float) -> str:
    return f"{change:+.1f} points".replace("-", "−")


def signed(shares: Sequence[float]) -> str:
    """The mean change, of shares that were taken: "−4 %"."""
    change = -float(np.mean(shares))
    return f"{'−' if change < 0 else '+'}{percent(abs(change))}"


def taken(parts: Sequence[Row], series: str) -> dict[str, list[float]]:
    """By part, the share that it takes of the error that was left before it, for each net of which both are known.

    A net that left no error has no share to tell.
    """
    found: dict[str, list[float]] = {"crops": [], "ensemble": []}
    for before, after in pairwise(row for row in parts if row["series"] == series):
        if before["entry"] == after["entry"] and before["error"]:
            found[after["part"]].append(1 - after["error"] / before["error"])
    return found


def of_recipe(rows: list[Row], protocol: str) -> Row | None:
    """How much the modern recipe changes the error of the same nets, against their era's."""
    found: dict[tuple, dict[str, float]] = {}
    for row in rows:
        if row["kind"] == "single" and row["protocol"] == protocol:
            net = row["architecture"], row["width"], row["compact"]
            found.setdefault(net, {}).setdefault(row["recipe"], row["top1_err"])
    changes = [errors["modern"] - errors["era"] for errors in found.values() if {"era", "modern"} <= errors.keys()]
    if not changes:
        return None
    figure = signed_points(float(np.mean(changes)))
    text = f"from the era's recipes, made for {ERA_EPOCHS} epochs and more, to one modern recipe"
    text += f", the mean of {len(changes)} nets by {protocol}."
    return {"title": "The recipe", "figure": figure, "text": text}
