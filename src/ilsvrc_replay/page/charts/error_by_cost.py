"""The chart of the errors over what a net costs: multiply-adds or parameters."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import INK, VERMILLION, names, of_protocol, spec, table, wide
from ilsvrc_replay.page.label_placement import HEIGHT, SIZES, around, attach
from ilsvrc_replay.page.results import Results

COSTS = {  # by option: the board's column, in how many of the unit, title of the axis, title of the option
    "macs": ("gmacs", 1e9, "multiply-adds for one image", "multiply-adds"),
    "parameters": ("param_count", 1, "parameters", "parameters"),
}
Range = tuple[float, float]


class Costs(NamedTuple):
    """The points of the chart, and the ranges of its axes."""

    points: list[Row]  # cost, err, low, high, name, kind, protocol, says; where the name stands
    across: Range  # of the logarithmic axis of costs
    up: Range  # of the axis of errors

    @property
    def ticks(self) -> list[int]:
        """The costs that the axis names: 1, 2 and 5 of every power of ten."""
        low, high = self.across
        return [step * 10**power for power in range(13) for step in (1, 2, 5) if low <= step * 10**power <= high]


def chart(results: Results) -> Chart:
    specs = {
        key: spec(draw(measured(results.rows, column, unit), title, results.protocol), f"Top-1 error against {name}")
        for key, (column, unit, title, name) in COSTS.items()
    }
    return Chart(
        key="cost",
        heading="What the errors cost",
        specs=specs,
        legend="Error against",
        options={key: name for key, (*_, name) in COSTS.items()},
        label="Chart: top-1 error against cost. arrow keys go through its points.",
        caption=Markup(
            "Counted on the nets as they are tested here, at their width and image size, on a logarithmic scale. Down"
            " and left is better; bars are of 95&#8239;% confidence.{by_protocol}"
        ).format(by_protocol=results.by_protocol),
        figures={f"error-by-{key}": drawn for key, drawn in specs.items()},
    )


def measured(rows: list[Row], column: str, unit: float) -> Costs:
    """A point for every row, at `column` times `unit`."""
    points = [
        {
            "cost": round(row[column] * unit),
            "err": row["top1_err"],
            "low": row["top1_err_low"],
            "high": row["top1_err_high"],
            **{"name": row["entry"], "kind": row["kind"], "protocol": row["protocol"]},
            "says": says(row),
        }
        for row in rows
    ]
    costs, lows, highs = ([point[key] for point in points] for key in ("cost", "low", "high"))
    margin = 0.04 * (max(highs) - min(lows)) or 1.0
    found = Costs(points, (min(costs) / 1.5, max(costs) * 1.5), (max(0.0, min(lows) - margin), max(highs) + margin))
    for size in SIZES:
        name_points(found, size)
    return found


def says(row: Row) -> str:
    """The tooltip of a point."""
    kind = ", ensemble" if row["kind"] == "ensemble" else ""
    return (
        f"{row['entry']}{kind}: {row['top1_err']:.2f} % ({row['top1_err_low']:.2f} to {row['top1_err_high']:.2f})"
        f" top-1 error, {row['param_count']:,} parameters, {1000 * row['gmacs']:.4g} M multiply-adds,"
        f" by {row['protocol']}"
    )


def name_points(costs: Costs, size: str) -> None:
    """Find places for the names in a chart of `size`, for each protocol by itself."""
    (width, height), (left, right), (low, high) = SIZES[size], costs.across, costs.up
    for protocol in dict.fromkeys(point["protocol"] for point in costs.points):
        shown = [point for point in costs.points if point["protocol"] == protocol]
        spots = [
            (width * log(point["cost"] / left) / log(right / left), height * (high - point["err"]) / (high - low))
            for point in shown
        ]
        attach(shown, size, spots, [around(x, y) for x, y in spots])


def draw(costs: Costs, title: str, protocol: str) -> alt.LayerChart:
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
    return wide(alt.layer(bars, points, *names(base, INK)).add_params(param), HEIGHT)
