"""The chart of the errors over the years: the winners, the papers' single nets, today's weights, and this study's."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.finding import ENOUGH_CLASSES
from ilsvrc_replay.leaderboard.floors import images_of
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import BLUE, GREEN, INK, RUST, VERMILLION, names, of_protocol, spec, table, wide
from ilsvrc_replay.page.label_placement import HEIGHT, SIZES, Rectangle, along, around, attach
from ilsvrc_replay.page.points_by_year import (
    HEADLINE,
    PAPER,
    TODAY,
    headlines,
    measured,
    papers,
    positions,
    rules,
    series_here,
    todays,
    told_elsewhere,
)
from ilsvrc_replay.page.results import Results
from ilsvrc_replay.papers.challenge import challenge
from ilsvrc_replay.papers.published import in_prose

TICKS = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100]  # of a logarithmic axis


class View(NamedTuple):
    """A way to measure the errors: the `title` of its switch and of its `axis`, and a `note` on what is left out."""

    key: str
    title: str
    axis: str
    note: str = ""
    logarithmic: bool = False


class Curve(NamedTuple):
    """What is drawn in a view."""

    view: View
    points: list[Row]  # x, err, low, high, series, name, says, protocol, order; where the name stands
    rules: list[Row]  # err, name: horizontal lines
    years: tuple[int, int]
    ends: tuple[float, float]  # of the axis of errors

    def height(self, error: float) -> float:
        """How far up an error stands, 0 to 1."""
        low, high = (math.log(end) if self.view.logarithmic else end for end in self.ends)
        value = math.log(max(error, self.ends[0])) if self.view.logarithmic else error
        return (value - low) / (high - low)


def chart(results: Results) -> Chart | None:
    """None for a study that has nothing to say on the history."""
    if not results.study.of_history:
        return None
    found = [curve(results, view) for view in views(results)]
    shown = [each.view for each in found]
    specs = {
        each.view.key: spec(
            draw(each, results.rows, results.protocol), f"Error of the nets over the years: {each.view.axis}"
        )
        for each in found
    }
    return Chart(
        key="history",
        heading="The curve",
        specs=specs,
        legend="Show the error as",
        options={view.key: view.title for view in shown},
        notes={view.key: view.note for view in shown},
        label="Chart: error over the years. arrow keys go through its points.",
        caption=caption(results),
        figures={"history": specs[shown[0].key]},
    )


def caption(results: Results) -> Markup:
    human = challenge().human
    ensembles = any(row["kind"] == "ensemble" for row in results.rows)
    return Markup(
        "<b>Figures of several kinds, not to be mixed up.</b> Diamonds are the famous headlines: <em>ensembles</em>"
        " of several nets and many crops, on the <em>hidden test set</em> of ImageNet; a line joins each year's winner."
        " Triangles are of <em>one net</em> on ImageNet's <em>validation set</em>: blue and pointing down as its paper"
        " has it, green and pointing up as torchvision states it for the weights that it keeps today, some of them"
        " trained by later recipes. Circles were measured here, on {images} of {dataset}, with bars of 95&#8239;%"
        " confidence{squares}; a thin line joins the steps of the history that are judged below. Nets of one"
        " year stand side by side in the board’s order.{recipes}{by_protocol} Where one net counts"
        " as 1, the bars leave its own uncertainty out. “A person” is {human} of ImageNet ({table})."
    ).format(
        images=images_of(results.rows),
        dataset=results.study.dataset.name,
        squares="; squares are ensembles of those nets" if ensembles else "",
        recipes=" Entries by their papers’ recipes stand in a chart of their own."
        if told_elsewhere(results.board)
        else "",
        by_protocol=results.by_protocol,
        human=human.of,
        table=human.table,
    )


def first_net(rows: list[Row]) -> Row | None:
    """The row that the relative view counts as 1: the earliest that also has a headline, or else the earliest."""
    dated = [row for row in rows if row["year"] and row["kind"] == "single"]
    return next((row for row in dated if row["headline_top5_err"]), dated[0] if dated else None)


def views(results: Results) -> list[View]:
    """The views that this board allows, first the one that the page opens with."""
    few = results.classes < ENOUGH_CLASSES
    first, measure = first_net(results.rows), "top-1" if few else "top-5"
    note = f"Measured top-5 errors are not drawn: with {results.classes} classes they say nothing."
    apart = "Equal distances are equal ratios, so that falls can be compared, of errors far apart."
    top5 = View("top5", "top-5", "top-5 error, %", *((note,) if few else (apart, True)))
    top1 = View("top1", "top-1", "top-1 error, %", "The famous headlines are top-5 errors and do not stand here.")
    if first is None:
        return [View("top5", "top-5", "top-5 error, %", "No net of this study has a year in that history.")]
    if not first[f"{measure.replace('-', '')}_err"]:
        return [top5, top1]
    name = in_prose(first["entry"], first["architecture"])
    relative = View(
        "relative",
        "relative",
        f"error, {name} = 1",
        f"Published figures count their own {name} as 1, measured ones the single {name}, in"
        f" {measure} error." + (" The headlines are known in top-5 error alone, which falls further." if few else ""),
    )
    return [relative, top1, top5] if few else [top5, relative, top1]


def curve(results: Results, view: View) -> Curve:
    """The curve in one view, by all protocols of the board; nets have their names as far as there is room."""
    board, few = results.board, results.classes < ENOUGH_CLASSES
    elsewhere = told_elsewhere(board)
    rows = [row for row in results.rows if row["entry"] not in elsewhere]
    first = first_net(rows)
    where = positions(rows)
    points = []
    if view.key != "top1":
        points += headlines(first["headline_top5_err"] if view.key == "relative" else 1.0)
    like_here = "top1_err" if view.key == "top1" or (few and view.key == "relative") else "top5_err"
    points += papers(rows, where, view.key, first, like_here)
    points += todays(rows, where, view.key, first, like_here)
    if view.key != "top5" or not few:
        points += measured(board, where, view.key, first, "top1" if view.key == "top1" or few else "top5")
    years = [round(point["x"]) for point in points] or [2012]
    top = (1.4 if view.logarithmic else 1.1) * max([point["high"] or point["err"] for point in points], default=1.0)
    lowest = min([point["err"] for point in points], default=0.0)
    if view.logarithmic and lowest <= 0:  # no logarithm has a place for a net without an error
        view = view._replace(logarithmic=False, note="")
    bottom = 0.7 * lowest if view.logarithmic else 0.0
    found = Curve(view, points, rules(board, view.key, first), (min(years), max(years)), (bottom, top))
    for size in SIZES:
        name_points(found, size)
    return found


def name_points(curve: Curve, size: str) -> None:
    """Find places for the names in a chart of `size`: for each protocol, clear of all marks that it shows."""
    (width, height), (low, high) = SIZES[size], curve.years

    def at(x: float, error: float) -> tuple[float, float]:
        return (x - low + 0.6) / (high - low + 1.2) * width, (1 - curve.height(error)) * height

    words = [(at(low, rule["err"])[1], 6.0 * len(rule["name"])) for rule in curve.rules]
    lines = [Rectangle(0, y - 14, wide, y) for y, wide in words]
    # The protocol that the page opens with comes last: it decides the places of the published points, which all share.
    for protocol in reversed(dict.fromkeys(point["protocol"] for point in curve.points if "protocol" in point)):
        shown = [point for point in curve.points if point.get("protocol") in (None, protocol)]
        marks = [around(*at(point["x"], point["err"])) for point in shown]
        for point in shown:
            if point["high"] is not None:
                (x, bottom), (_, top) = at(point["x"], point["low"]), at(point["x"], point["high"])
                marks.append(Rectangle(x - 2, top, x + 2, bottom))
        for series in (HEADLINE, None):
            chain = [point for point in shown if "order" in point and (point["series"] == HEADLINE) == bool(series)]
            ends = [at(point["x"], point["err"]) for point in sorted(chain, key=lambda point: point["order"])]
            marks += [box for one, other in pairwise(ends) for box in along(one, other)]
        named = [point for point in shown if point["name"]]
        named.sort(key=lambda point: "order" not in point)  # those of a line first; others as far as there is room
        attach(named, size, [at(point["x"], point["err"]) for point in named], [*lines, *marks])


def draw(curve: Curve, rows: list[Row], protocol: str) -> alt.LayerChart:
    """Points of all kinds, with a line through the winners and one through this study's steps."""
    param, chosen = of_protocol(protocol)
    here = list(dict.fromkeys(series_here(row) for row in sorted(rows, key=lambda row: row["kind"] == "ensemble")))
    present = [name for name in (HEADLINE, PAPER, TODAY, *here) if any(p["series"] == name for p in curve.points)]
    looks = {HEADLINE: (INK, "diamond"), PAPER: (BLUE, "triangle-down"), TODAY: (GREEN, "triangle-up")}
    looks |= dict(zip(here, ((VERMILLION, "circle"), (VERMILLION, "square")), strict=False))
    low, high = curve.years
    x = alt.X("x:Q").scale(domain=[low - 0.6, high + 0.6], nice=False)
    x = x.axis(values=list(range(low, high + 1)), format="d", title=None, grid=False)
    kind = "log" if curve.view.logarithmic else "linear"
    y = alt.Y("err:Q").scale(type=kind, domain=curve.ends, nice=False, clamp=True).title(curve.view.axis)
    if curve.view.logarithmic:
        y = y.axis(values=[tick for tick in TICKS if curve.ends[0] <= tick <= curve.ends[1]])
    color = alt.Color("series:N", title=None).scale(domain=present, range=[looks[name][0] for name in present])
    shape = alt.Shape("series:N", title=None).scale(domain=present, range=[looks[name][1] for name in present])
    base = alt.Chart(table(curve.points)).transform_filter(chosen).encode(x=x, y=y)
    published, own = base.transform_filter("!isValid(datum.protocol)"), base.transform_filter("isValid(datum.protocol)")
    layers = [
        joined(published, INK),
        joined(own, VERMILLION),
        own.mark_rule(opacity=0.6, strokeWidth=1.4, color=VERMILLION, aria=False).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=66, opacity=1).encode(
            color=color, shape=shape, tooltip="says:N", description="says:N"
        ),
        *names(published, INK),
        *names(own, RUST),
    ]
    if curve.rules:
        lines = alt.Chart(table(curve.rules))
        layers[:0] = [
            lines.mark_rule(strokeDash=[4, 4], opacity=0.6, aria=False).encode(y="err:Q"),
            lines.mark_text(align="left", dx=4, dy=-7, opacity=0.8, aria=False).encode(
                x=alt.value(0), y="err:Q", text="name:N"
            ),
        ]
    return wide(alt.layer(*layers).add_params(param), HEIGHT)


def joined(base: alt.Chart, color: str) -> alt.Chart:
    """A line through the points that have a place in an order."""
    line = base.transform_filter("isValid(datum.order)").mark_line(
        strokeWidth=1.6, opacity=0.55, color=color, aria=False
    )
    return line.encode(order="order:Q", detail="protocol:N")
