"""The chart of what the recipe moves: each net's error from one recipe to another, as a slope."""

from __future__ import annotations

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import INK, VERMILLION, of_protocol, spec, table, wide
from ilsvrc_replay.page.label_placement import HEIGHT
from ilsvrc_replay.page.results import Results

FIRST = "era"  # recipe, on the left where there is one


def chart(results: Results) -> Chart | None:
    """None for a study in which no net was trained by two recipes."""
    points = slopes(results.rows)
    if not points:
        return None
    drawn = spec(draw(points, results.protocol), "Error of the same nets by different recipes")
    return Chart(
        key="recipes",
        heading="What the recipe moved",
        specs={"": drawn},
        label="Chart: error of each net by its recipes. arrow keys go through its points.",
        caption=Markup(
            "A line is one net, at the same width and on the same images, by its recipes; bars are of 95&#8239;%"
            " confidence.{by_protocol}"
        ).format(by_protocol=results.by_protocol),
        figures={"recipes": drawn},
    )


def slopes(rows: list[Row]) -> list[Row]:
    """A point for every single net that was tested by one protocol after training by at least two recipes."""
    recipes: dict[tuple, dict[str, Row]] = {}
    for row in rows:
        if row["kind"] == "single":
            net = row["architecture"], row["protocol"], row["width"], row["compact"]
            recipes.setdefault(net, {}).setdefault(row["recipe"], row)
    return [
        {
            "net": net,
            "protocol": protocol,
            "recipe": recipe,
            "err": row["top1_err"],
            "low": row["top1_err_low"],
            "high": row["top1_err_high"],
            "says": f"{row['entry']}: {row['top1_err']:.2f} % ({row['top1_err_low']:.2f} to {row['top1_err_high']:.2f})"
            f" top-1 error by the recipe {recipe}, {protocol}",
        }
        for (net, protocol, *_), found in recipes.items()
        if len(found) > 1
        for recipe, row in found.items()
    ]


def draw(points: list[Row], protocol: str) -> alt.LayerChart:
    """A line for each net over the recipes, with its name at the right end."""
    param, chosen = of_protocol(protocol)
    recipes = sorted({point["recipe"] for point in points}, key=lambda recipe: (recipe != FIRST, recipe))
    x = alt.X("recipe:N", sort=recipes, title=None).axis(labelAngle=0, grid=False)
    y = alt.Y("err:Q").scale(zero=False).title("top-1 error, %")
    base = alt.Chart(table(points)).transform_filter(chosen).encode(x=x)
    lines = base.mark_line(strokeWidth=1.6, opacity=0.6, color=VERMILLION, aria=False)
    bars = base.mark_rule(opacity=0.35, color=VERMILLION, aria=False)
    marks = base.mark_point(filled=True, size=70, opacity=1, color=VERMILLION)
    names = base.transform_filter(alt.datum.recipe == recipes[-1]).mark_text(align="left", dx=8, color=INK, aria=False)
    layers = [
        lines.encode(y=y, detail="net:N"),
        bars.encode(y=alt.Y("low:Q"), y2="high:Q"),
        marks.encode(y=y, tooltip="says:N", description="says:N"),
        names.encode(y=y, text="net:N"),
    ]
    return wide(alt.layer(*layers).add_params(param), HEIGHT)
