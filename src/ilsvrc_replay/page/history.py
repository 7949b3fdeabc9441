"""The points of the history's curve: the published line, the papers' single nets and what was measured here."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any, NamedTuple

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.label_placement import SIZES, Space, along, around, attach
from ilsvrc_replay.papers.challenge import challenge
from ilsvrc_replay.papers.published import find, published

HEADLINE, PAPER = "published headline: ensemble, hidden test set", "published, one net, validation set"
ENOUGH_CLASSES = 50  # with fewer, hardly any image can be wrong by top-5


class View(NamedTuple):
    """A way to draw the curve: `title` of its switch, of its `axis`, and a `note` on what it leaves out."""

    key: str
    title: str
    axis: str
    note: str = ""


class Curve(NamedTuple):
    view: View
    points: list[Row]  # x, err, low, high, series, name, says, protocol, order; where the name stands
    rules: list[Row]  # err, name: horizontal lines
    years: tuple[int, int]
    top: float  # of the axis


def classes(baseline: Row) -> int:
    """How many classes the data set has: guessing one of K errs in 1 - 1/K."""
    return round(100 / (100 - baseline["chance_top1_err"]))


def first_net(rows: list[Row]) -> Row | None:
    """The row that the relative view counts as 1: the earliest that also has a headline, or else the earliest."""
    dated = [row for row in rows if row["year"] and row["kind"] == "single"]
    return next((row for row in dated if row["headline_top5_err"]), dated[0] if dated else None)


def views(board: dict[str, Any]) -> list[View]:
    """The views that this board allows, the one to show first at the head."""
    few = classes(board["baseline"]) < ENOUGH_CLASSES
    first, measure = first_net(board["rows"]), "top-1" if few else "top-5"
    note = f"Measured top-5 errors are not drawn: with {classes(board['baseline'])} classes they say nothing."
    top5 = View("top5", "top-5", "top-5 error, %", note if few else "")
    top1 = View("top1", "top-1", "top-1 error, %", "The famous headlines are top-5 errors and do not stand here.")
    if first is None or not first[f"{measure.replace('-', '')}_err"]:
        return [top5, top1]
    relative = View(
        "relative",
        "relative",
        f"error, {first['entry']} = 1",
        f"Each series counts its own {first['entry']} as 1: published ones in top-5 error, measured ones in {measure}.",
    )
    return [relative, top1, top5] if few else [top5, relative, top1]


def draw(board: dict[str, Any], view: View) -> Curve:
    """The curve in one view, over all protocols of the board; names stand only at the net of each step."""
    rows, few = board["rows"], classes(board["baseline"]) < ENOUGH_CLASSES
    first = first_net(rows)
    where = positions(rows)
    points = []
    if view.key != "top1":
        points += headlines(first["headline_top5_err"] if view.key == "relative" else 1.0)
    points += papers(rows, where, view.key, first)
    if view.key != "top5" or not few:
        points += measured(board, where, view.key, first, "top1" if view.key == "top1" or few else "top5")
    years = [round(point["x"]) for point in points] or [2012]
    top = 1.1 * max([point["high"] or point["err"] for point in points], default=1.0)
    curve = Curve(view, points, rules(board, view.key, first), (min(years), max(years)), top)
    for size in SIZES:
        name_points(curve, size)
    return curve


def positions(rows: list[Row]) -> dict[str, float]:
    """Where an entry stands on the axis of years: those of a year side by side, in the board's order."""
    years = {row["entry"]: row["year"] for row in rows if row["year"]}
    many, seen, where = Counter(years.values()), Counter(), {}
    for entry, year in years.items():
        gap = min(0.24, 0.8 / many[year])
        where[entry] = round(year + gap * (seen[year] - (many[year] - 1) / 2), 4)
        seen[year] += 1
    return where


def point(x: float, err: float, series: str, name: str, says: str, **more: Any) -> Row:
    return {"x": x, "err": err, "low": None, "high": None, "series": series, "name": name, "says": says, **more}


def headlines(base: float | None) -> list[Row]:
    """The line of the winners, and beside it the famous numbers that did not win; nothing without a base."""
    if not base:
        return []
    found = [
        point(
            winner.year,
            winner.top5_err / base,
            HEADLINE,
            f"{winner.name.partition('-')[0]} {winner.top5_err:.1f} %",
            says(winner.name, winner.year, winner.top5_err, winner.of, winner.table),
            order=winner.year,
        )
        for winner in challenge().winners
    ]
    known = {(winner.year, round(winner.top5_err, 1)) for winner in challenge().winners}
    for net, record in published().items():
        if (head := record.headline) and (record.year, round(head.top5_err, 1)) not in known:
            known.add((record.year, round(head.top5_err, 1)))
            text = says(net, record.year, head.top5_err, head.of, head.table)
            found.append(point(record.year, head.top5_err / base, HEADLINE, "", text))
    return found


def says(net: str, year: int, error: float, of: str, table: str) -> str:
    return f"{net}, {year}: {error:g} % top-5 on ImageNet's hidden test set, an ensemble's: {of} ({table})"


def papers(rows: list[Row], where: dict[str, float], view: str, first: Row | None) -> list[Row]:
    """The papers' own figures for one net, for the nets of the board."""
    measure = "top1_err" if view == "top1" else "top5_err"
    base = first[f"single_{measure}"] if view == "relative" else 1.0
    found = {}
    for row in rows:
        record = find(row["architecture"] or "")
        single = record and record.single
        error = single and getattr(single, measure)
        if row["kind"] == "single" and base and error and single.dataset == "ImageNet" and row["entry"] in where:
            text = (
                f"{row['entry']}, {row['year']}: {error:g} % {measure[:3]}-{measure[3]} on ImageNet's validation set, "
            )
            text += f"one net by {single.protocol} ({single.table})"
            found[row["entry"]] = point(where[row["entry"]], error / base, PAPER, "", text)
    return list(found.values())


def series_here(row: Row) -> str:
    return f"measured here on {row['dataset']}, {'ensemble' if row['kind'] == 'ensemble' else 'one net'}"


def measured(board: dict[str, Any], where: dict[str, float], view: str, first: Row | None, measure: str) -> list[Row]:
    """The board's own errors with their intervals; those of the steps are named and joined by `order`."""
    found = []
    for row in board["rows"]:
        if row["entry"] not in where:
            continue
        base = 1.0
        if view == "relative":
            base = unit(board["rows"], first, row["protocol"])[f"{measure}_err"] or math.inf
        steps = [step for step in board["steps"] if step["protocol"] == row["protocol"]]
        chain = [steps[0]["before"], *(step["after"] for step in steps)] if steps else []
        error, low, high = (row[f"{measure}_err{bound}"] for bound in ("", "_low", "_high"))
        more = {"protocol": row["protocol"]}
        if row["entry"] in chain and row["kind"] == "single":
            more["order"] = chain.index(row["entry"])
        text = f"{row['entry']}: {error:.2f} % ({low:.2f} to {high:.2f}) {measure[:3]}-{measure[3]} error, "
        text += f"{row['images']:,} test images of {row['dataset']}, {row['kind']}, {row['protocol']}"
        text += f"; {error / base:.2f} of {first['entry']}'s" if view == "relative" else ""
        name = row["entry"] if "order" in more else ""
        values = point(where[row["entry"]], error / base, series_here(row), name, text, **more)
        found.append(values | {"low": low / base, "high": high / base})
    return found


def unit(rows: list[Row], first: Row, protocol: str) -> Row:
    """The first net's row under this protocol, or as it is where it was not tested by that."""
    same = (row for row in rows if row["entry"] == first["entry"] and row["kind"] == "single")
    return next((row for row in same if row["protocol"] == protocol), first)


def rules(board: dict[str, Any], view: str, first: Row | None) -> list[Row]:
    human, linear = challenge().human.top5_err, board["baseline"]["linear_top1_err"]
    if view == "top1":
        return [{"err": linear, "name": f"a linear classifier on the same images {linear:.2f}"}]
    base = 1.0 if view == "top5" else first["headline_top5_err"]
    return [{"err": human / base, "name": f"a person {human:g} % (top-5)"}] if base else []


def name_points(curve: Curve, size: str) -> None:
    """Lay out the names in a chart of `size`, in each protocol's clear of all marks of that protocol."""
    (width, height), (low, high) = SIZES[size], curve.years

    def at(x: float, error: float) -> tuple[float, float]:
        return (x - low + 0.6) / (high - low + 1.2) * width, (1 - error / curve.top) * height

    words = [(at(low, rule["err"])[1], 6.0 * len(rule["name"])) for rule in curve.rules]
    lines = [Space(0, y - 14, wide, y) for y, wide in words]
    # The protocol that the page opens with comes last: published points, which all protocols share, fit it best.
    for protocol in reversed(dict.fromkeys(point["protocol"] for point in curve.points if "protocol" in point)):
        shown = [point for point in curve.points if point.get("protocol") in (None, protocol)]
        marks = [around(*at(point["x"], point["err"])) for point in shown]
        for point in shown:
            if point["high"] is not None:
                (x, bottom), (_, top) = at(point["x"], point["low"]), at(point["x"], point["high"])
                marks.append(Space(x - 2, top, x + 2, bottom))
        for series in (HEADLINE, None):
            chain = [point for point in shown if "order" in point and (point["series"] == HEADLINE) == bool(series)]
            ends = [at(point["x"], point["err"]) for point in sorted(chain, key=lambda point: point["order"])]
            marks += [box for one, other in pairwise(ends) for box in along(one, other)]
        named = [point for point in shown if point["name"]]
        attach(named, size, [at(point["x"], point["err"]) for point in named], [*lines, *marks])
