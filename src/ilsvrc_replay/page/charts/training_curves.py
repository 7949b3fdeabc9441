"""The chart of the training curves: a small panel for each net, over the outlines of all others."""

from __future__ import annotations

from itertools import groupby

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import INK, VERMILLION, spec, table, wide
from ilsvrc_replay.page.figures import panels
from ilsvrc_replay.page.results import Results

OUTLINE = 24  # points of a curve in the background, at the most


def chart(results: Results) -> Chart | None:
    """None for a study that trains nothing, of published weights alone."""
    entries = tuple(dict.fromkeys(row["entry"] for row in results.curves))
    if not entries:
        return None
    drawn = spec(draw(results.curves, entries[0]), "Validation error over the epochs")
    return Chart(
        key="training",
        heading="How they trained",
        specs={"": drawn},
        label="Validation error of {panel} over its epochs",
        panels=entries,
        caption=Markup(
            "Top-1 error in&#8239;% on held-out training images, over epochs, on the same axes for all nets: each net’s"
            " runs in colour, those of all others in grey. The numbers are in <code>results/{study}/curves.csv</code>."
        ).format(study=results.study.study),
        figures={"curves": panels(drawn, "entry", entries)},
    )


def draw(curves: list[Row], entry: str) -> alt.LayerChart:
    """The validation error of all entries over their epochs, the runs of `entry` in front."""
    param = alt.param(name="entry", value=entry)
    x = alt.X("epoch:Q").axis(title=None, grid=False, tickCount=4).scale(nice=False, zero=True)
    errors = [row["val_top1_err"] for row in curves if row["val_top1_err"] is not None] or [0.0, 100.0]
    y = alt.Y("val_top1_err:Q").axis(title=None, tickCount=4)
    y = y.scale(domain=[min(errors), max(errors)], nice=True)  # the same for all nets
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
