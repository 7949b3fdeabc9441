"""The charts of a study, in Vega-Lite: one specification for the page, the SVG and the PNG.

Colours are Okabe and Ito's, which stay apart for those who do not see all colours. Lines and words are drawn in
`currentColor`, so that the page's own colour, light or dark, is theirs.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import altair as alt

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.costs import Costs
from ilsvrc_replay.page.history import HEADLINE, PAPER, Curve, series_here

INK, BLUE, VERMILLION, GREEN, GREY = "currentColor", "#0072B2", "#D55E00", "#009E73", "#888888"
VERDICTS = {"reproduced": GREEN, "not resolved": GREY, "reversed": VERMILLION}
FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
NARROW = 480  # px of chart, under which names are laid out anew
OUTLINE = 24  # points at the most
DOMAIN = {"domainOpacity": 0.4, "tickOpacity": 0.4}


def config() -> dict[str, Any]:
    axis = {"gridColor": INK, "gridOpacity": 0.1, "labelFlush": False, "domainColor": INK, "tickColor": INK}
    words = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    legend = {
        "orient": "top",
        "direction": "vertical",
        "columns": 1,
        "labelLimit": 0,
        "title": None,
        "symbolOpacity": 1,
    }
    return {
        "font": FONT,
        "view": {"stroke": None},
        "background": "transparent",
        "axis": {**axis, **words, **DOMAIN},
        "legend": {**legend, "labelColor": INK, "labelFontSize": 12},
        "text": {"color": INK, "fontSize": 11},
        "rule": {"color": INK},
    }


def spec(chart: alt.LayerChart, description: str) -> dict[str, Any]:
    """The specification of a chart as plain data."""
    chart = chart.properties(description=description)
    return chart.to_dict() | {"config": config()}


def wide(chart: alt.LayerChart, height: int) -> alt.LayerChart:
    """The chart as wide as its place."""
    return chart.properties(width="container", height=height)


def table(rows: list[Row]) -> alt.Data:
    """Rows as a chart reads them: figures to six digits, nothing where nothing is known."""
    kept = [
        {
            key: float(f"{value:.6g}") if isinstance(value, float) else value
            for key, value in row.items()
            if value is not None
        }
        for row in rows
    ]
    return alt.Data(values=kept)


def of_protocol(protocol: str) -> tuple[alt.Parameter, str]:
    """The parameter that a page sets to show another protocol ("": all), and the filter that it steers."""
    param = alt.param(name="protocol", value=protocol)
    return param, "!isValid(datum.protocol) || protocol == '' || datum.protocol == protocol"


def names(base: alt.Chart, color: str) -> list[alt.Chart]:
    """The layers of names at the places found for them, in a wide and in a narrow chart.

    Places are found protocol by protocol: where all are shown, names of points that have one are not.
    """
    layers = []
    for size, shown in (("wide", f"width >= {NARROW}"), ("narrow", f"width < {NARROW}")):
        mark = {key: alt.ExprRef(f"datum.{size}_{key}") for key in ("dx", "dy", "align")}
        opacity = alt.ExprRef(f"{shown} && (protocol != '' || !isValid(datum.protocol)) ? 1 : 0")
        text = base.transform_filter(f"datum.{size}_align").mark_text(
            **mark, baseline="middle", opacity=opacity, color=color, aria=False
        )
        layers.append(text.encode(text="name:N"))
    return layers


def joined(base: alt.Chart, color: str) -> alt.Chart:
    """A line through the points that have a place in an order."""
    line = base.transform_filter("isValid(datum.order)").mark_line(
        strokeWidth=1.6, opacity=0.55, color=color, aria=False
    )
    return line.encode(order="order:Q", detail="protocol:N")


def history(curve: Curve, rows: list[Row], protocol: str) -> alt.LayerChart:
    """The history's curve: points of three kinds, the winners' line, and this study's own."""
    param, chosen = of_protocol(protocol)
    here = list(dict.fromkeys(series_here(row) for row in sorted(rows, key=lambda row: row["kind"] == "ensemble")))
    present = [name for name in (HEADLINE, PAPER, *here) if any(p["series"] == name for p in curve.points)]
    looks = {HEADLINE: (INK, "diamond"), PAPER: (BLUE, "triangle-down")}
    looks |= dict(zip(here, ((VERMILLION, "circle"), (VERMILLION, "square")), strict=False))
    low, high = curve.years
    x = alt.X("x:Q").scale(domain=[low - 0.6, high + 0.6], nice=False)
    x = x.axis(values=list(range(low, high + 1)), format="d", title=None, grid=False)
    y = alt.Y("err:Q").scale(domain=[0, curve.top], nice=False).title(curve.view.axis)
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
        *names(own, VERMILLION),
    ]
    if curve.rules:
        lines = alt.Chart(table(curve.rules))
        layers[:0] = [
            lines.mark_rule(strokeDash=[4, 4], opacity=0.6, aria=False).encode(y="err:Q"),
            lines.mark_text(align="left", dx=4, dy=-7, opacity=0.8, aria=False).encode(
                x=alt.value(0), y="err:Q", text="name:N"
            ),
        ]
    return wide(alt.layer(*layers).add_params(param), 330)


def cost(costs: Costs, title: str, protocol: str) -> alt.LayerChart:
    """Error against what a net costs, on a logarithmic scale titled `title`."""
    param, chosen = of_protocol(protocol)
    x = alt.X("cost:Q").scale(type="log", domain=costs.across, nice=False).title(title)
    x = x.axis(grid=False, format="~s", values=costs.ticks)
    y = alt.Y("err:Q").scale(domain=costs.up, nice=False, zero=False).title("top-1 error, %")
    base = alt.Chart(table(costs.points)).transform_filter(chosen).encode(x=x, y=y)
    kinds = {point["kind"] for point in costs.points}
    legend = alt.Legend(title=None) if len(kinds) > 1 else None
    shape = alt.Shape("kind:N", legend=legend).scale(domain=["single", "ensemble"], range=["circle", "square"])
    bars = base.mark_rule(opacity=0.35, color=VERMILLION, aria=False).encode(y=alt.Y("low:Q"), y2="high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1, color=VERMILLION).encode(
        shape=shape, tooltip="says:N", description="says:N"
    )
    return wide(alt.layer(bars, points, *names(base, INK)).add_params(param), 330)


def steps(steps: list[Row], protocol: str) -> alt.LayerChart:
    """The change of each step with its interval: left of the line the error falls, as history's did."""
    param, chosen = of_protocol(protocol)
    kept = ("change", "change_low", "change_high", "verdict", "protocol")
    rows = [
        {
            **{key: step[key] for key in kept},
            "step": f"{step['before']} → {step['after']}",
            "says": f"{step['before']} to {step['after']}: {step['change']:+.2f} points"
            f" ({step['change_low']:+.2f} to {step['change_high']:+.2f}), {step['verdict']}",
        }
        for step in steps
    ]
    order = list(dict.fromkeys(row["step"] for row in rows))
    y = alt.Y("step:N", sort=order, title=None).axis(domain=False, ticks=False, labelLimit=190, labelPadding=8)
    ends = [0.0, *(step["change_low"] for step in steps), *(step["change_high"] for step in steps)]
    margin = 0.03 * (max(ends) - min(ends)) or 1.0
    x = alt.X("change:Q").title("change of the top-1 error, points").axis(tickCount=6)
    x = x.scale(domain=[min(ends) - margin, max(ends) + margin], nice=False)
    color = alt.Color("verdict:N", title=None).scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    shape = alt.Shape("verdict:N", title=None).scale(
        domain=list(VERDICTS), range=["triangle-left", "circle", "triangle-right"]
    )
    base = alt.Chart(table(rows)).transform_filter(chosen).encode(y=y)
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(opacity=0.6, aria=False).encode(x=alt.datum(0))
    bars = [
        base.transform_filter(f"datum.verdict == '{verdict}'")
        .mark_rule(strokeWidth=2, color=of_verdict, aria=False)
        .encode(x=alt.X("change_low:Q"), x2="change_high:Q")
        for verdict, of_verdict in VERDICTS.items()
    ]
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x, color=color, shape=shape, tooltip="says:N", description="says:N"
    )
    return wide(alt.layer(zero, *bars, points).add_params(param), 30 * len(order))


def training(curves: list[Row], entry: str) -> alt.LayerChart:
    """The validation error of all entries over their epochs, the runs of `entry` in front."""
    param = alt.param(name="entry", value=entry)
    x = alt.X("epoch:Q").axis(title=None, grid=False, tickCount=4).scale(nice=False, zero=True)
    y = alt.Y("val_top1_err:Q").axis(title=None, tickCount=4).scale(zero=False)
    behind = alt.Chart(table(outline(curves))).mark_line(strokeWidth=0.8, color=INK, opacity=0.18, aria=False)
    columns = ("entry", "run", "epoch", "val_top1_err")
    front = alt.Chart(table([{key: row[key] for key in columns} for row in curves]))
    front = front.transform_filter("datum.entry == entry").mark_line(
        strokeWidth=1.8, color=VERMILLION, point={"size": 14, "color": VERMILLION}, aria=False
    )
    layers = [layer.encode(x=x, y=y, detail="run:N") for layer in (behind, front)]
    return wide(alt.layer(*layers).add_params(param), 110)


def outline(curves: list[Row]) -> list[Row]:
    """Each entry's first run with few points: enough for the background of a small chart."""
    found = []
    for _, group in groupby(curves, key=lambda row: row["entry"]):
        rows = list(group)
        rows = [row for row in rows if row["run"] == rows[0]["run"]]
        every = -(-len(rows) // OUTLINE)
        kept = [*rows[:: max(1, every)], *([rows[-1]] if (len(rows) - 1) % max(1, every) else [])]
        found += [{key: row[key] for key in ("run", "epoch", "val_top1_err")} for row in kept]
    return found
