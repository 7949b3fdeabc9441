"""The points of the chart of the errors over the years: the winners, the papers' single nets, today's weights, and what
was measured here; and the lines to compare them with."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.floors import images_of
from ilsvrc_replay.papers.challenge import challenge
from ilsvrc_replay.papers.maintained import maintained
from ilsvrc_replay.papers.published import find, in_prose, paper_name, published

HEADLINE, PAPER = "published headline: ensemble, hidden test set", "published, one net, validation set"
TODAY = "torchvision's weights today, one net, validation set"


def told_elsewhere(board: dict[str, Any]) -> set[str]:
    """The entries by their papers' recipes that are there by another one, too, and in no step: the chart of recipes has
    both."""
    modern = {net(row) for row in board["rows"] if row["recipe"] != "era"}
    twins = {row["entry"] for row in board["rows"] if row["recipe"] == "era" and net(row) in modern}
    steps = {step[side] for step in board["steps"] for side in ("before", "after")}
    return twins - steps


def net(row: Row) -> tuple[Any, ...]:
    return row["architecture"], row["width"], row["compact"]


def positions(rows: list[Row]) -> dict[str, float]:
    """The place of each entry on the axis of years: those of one year side by side, in the board's order."""
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
    """The winners, and famous results that did not win; errors in units of `base`, no points without one."""
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
    for record in published().values():
        if (head := record.headline) and (record.year, round(head.top5_err, 1)) not in known:
            known.add((record.year, round(head.top5_err, 1)))
            text = says(record.name, record.year, head.top5_err, head.of, head.table)
            found.append(point(record.year, head.top5_err / base, HEADLINE, "", text))
    return found


def says(net: str, year: int, error: float, of: str, table: str) -> str:
    return f"{net}, {year}: {error:g} % top-5 on ImageNet's hidden test set, an ensemble's: {of} ({table})"


def papers(rows: list[Row], where: dict[str, float], view: str, first: Row | None, measure: str) -> list[Row]:
    """The papers' own errors of one net by `measure`, for the nets of the board; once where a net has two entries."""
    base = first[f"single_{measure}"] if view == "relative" else 1.0
    found = {}
    for row in rows:
        record = find(row["architecture"] or "")
        single = record and record.single
        error = single and getattr(single, measure)
        own = row["kind"] == "single" and row[f"single_{measure}"]  # none where the net is not its paper's
        if own and base and error and single.dataset == "ImageNet" and row["entry"] in where:
            text = (
                f"{record.name}, {row['year']}: {error:g} % {measure[:3]}-{measure[3]} on ImageNet's validation set, "
            )
            text += f"one net by {single.protocol} ({single.table})"
            found.setdefault(row["architecture"], point(where[row["entry"]], error / base, PAPER, "", text))
    return list(found.values())


def todays(rows: list[Row], where: dict[str, float], view: str, first: Row | None, measure: str) -> list[Row]:
    """The errors of today's weights by `measure`, for the nets of the board, each once."""
    nets = {row["entry"]: paper_name(row["architecture"] or "") for row in rows}
    known = {entry: maintained().get(net) for entry, net in nets.items()}
    base = getattr(known[first["entry"]], measure, None) if view == "relative" else 1.0
    found = {}
    for row in rows:
        weights = known[row["entry"]]
        if row["kind"] == "single" and weights and base and row["entry"] in where:
            error = getattr(weights, measure)
            net = nets[row["entry"]]
            text = f"{in_prose(net, net)}, today: {error:g} % {measure[:3]}-{measure[3]} on ImageNet's validation set, "
            text += f"one net by one crop (torchvision, {weights.weights})"
            found.setdefault(net, point(where[row["entry"]], error / base, TODAY, "", text))
    return list(found.values())


def series_here(row: Row) -> str:
    """The legend of a measured row's points."""
    return f"measured here on {row['dataset']}, {'ensemble' if row['kind'] == 'ensemble' else 'one net'}"


def measured(board: dict[str, Any], where: dict[str, float], view: str, first: Row | None, measure: str) -> list[Row]:
    """The errors measured here, with their intervals; single nets have a name, and those of the steps an `order` in the
    line."""
    found = []
    for row in board["rows"]:
        if row["entry"] not in where:
            continue
        error, low, high = (row[f"{measure}_err{bound}"] for bound in ("", "_low", "_high"))
        base, share = 1.0, ""
        if view == "relative":
            base = unit(board["rows"], first, row["protocol"])[f"{measure}_err"] or math.inf
            share = f"; {error / base:.2f} of {in_prose(first['entry'], first['architecture'])}'s"
        steps = [step for step in board["steps"] if step["protocol"] == row["protocol"]]
        chain = list(dict.fromkeys(step[side] for step in steps for side in ("before", "after")))
        more = {"protocol": row["protocol"]}
        if row["entry"] in chain and row["kind"] == "single":
            more["order"] = chain.index(row["entry"])
        text = f"{row['entry']}: {error:.2f} % ({low:.2f} to {high:.2f}) {measure[:3]}-{measure[3]} error, "
        text += f"{images_of([row])} of {row['dataset']}, {row['kind']}, {row['protocol']}{share}"
        name = row["entry"] if row["kind"] == "single" else ""
        values = point(where[row["entry"]], error / base, series_here(row), name, text, **more)
        found.append(values | {"low": low / base, "high": high / base})
    return found


def unit(rows: list[Row], first: Row, protocol: str) -> Row:
    """The row that counts as 1: the first net's under this protocol, or any row of it if it was not tested by that."""
    same = (row for row in rows if row["entry"] == first["entry"] and row["kind"] == "single")
    return next((row for row in same if row["protocol"] == protocol), first)


def rules(board: dict[str, Any], view: str, first: Row | None) -> list[Row]:
    """The horizontal lines to compare with: a linear classifier's error, or a person's."""
    human, linear = challenge().human.top5_err, board["baseline"]["linear_top1_err"]
    if view == "top1":
        return [{"err": linear, "name": f"a linear classifier on the same images {linear:.2f}"}]
    base = 1.0 if view == "top5" else first["headline_top5_err"]
    return [{"err": human / base, "name": f"a person {human:g} % (top-5)"}] if base else []
