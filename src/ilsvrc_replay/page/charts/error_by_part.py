"""The chart of where the error fell: what crops and ensembles take of the error of one net with one crop."""

from __future__ import annotations

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.parts import HERE, PUBLISHED
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import BLUE, INK, VERMILLION, spec, table, wide
from ilsvrc_replay.page.results import Results

SERIES = {PUBLISHED: BLUE, HERE: VERMILLION}
PARTS = {"net": "one net, one crop", "crops": "many crops", "ensemble": "an ensemble"}
SHAPES = ["circle", "triangle-down", "square"]


def chart(results: Results) -> Chart | None:
    """None for a study that tested neither many crops nor ensembles."""
    rows = [row for row in results.board["parts"] if row["share"] is not None]
    if not any(row["series"] == HERE for row in rows):
        return None
    drawn = spec(draw(rows), "What crops and ensembles take of the error of one net with one crop")
    measure = "top-5" if rows[-1]["measure"] == "top5_err" else "top-1"
    return Chart(
        key="parts",
        heading="Where the error fell",
        intro=Markup(
            "The famous numbers are of several nets and many crops. Here each net’s error with one crop counts as 1;"
            " what is left of it after averaging over crops, and over nets, stands to its left."
        ),
        specs={"": drawn},
        label="Chart: what crops and ensembles leave of the error. arrow keys go through its points.",
        caption=Markup(
            "Published: top-5 errors on ImageNet, with the papers’ own crops and ensembles; some errors with one crop"
            " were measured later by others, as their tooltips say. Measured here: {measure} errors, by the last of"
            " this study’s protocols, and an ensemble of each net’s seeds. A net without a"
            " published error with one crop is drawn for this study alone; all numbers are in"
            " <code>results/{study}/parts.csv</code>."
        ).format(measure=measure, study=results.study.study),
        figures={"parts": drawn},
    )


def draw(rows: list[Row]) -> alt.LayerChart:
    """A track for each net and series, from its error with one crop to what is left at the end."""
    points = [
        {"entry": row["entry"], "series": row["series"], "part": PARTS[row["part"]], "share": row["share"]}
        | {"says": says(row)}
        for row in rows
    ]
    entries = list(dict.fromkeys(row["entry"] for row in rows))
    present = [name for name in SERIES if any(row["series"] == name for row in rows)]
    y = alt.Y("entry:N", sort=entries, title=None).axis(domain=False, ticks=False, labelPadding=8)
    low = min(row["share"] for row in rows)
    x = alt.X("share:Q").title("error; one net with one crop = 1").axis(tickCount=6)
    x = x.scale(domain=[max(0.0, low - 0.05), 1.03], nice=False)
    base = alt.Chart(table(points)).encode(y=y, yOffset=alt.YOffset("series:N", sort=present))
    color = alt.Color("series:N", title=None).scale(domain=present, range=[SERIES[name] for name in present])
    legend = alt.Legend(title=None, symbolFillColor=INK, symbolStrokeColor=INK)
    shape = alt.Shape("part:N", legend=legend).scale(domain=list(PARTS.values()), range=SHAPES)
    tracks = base.mark_line(strokeWidth=2, opacity=0.5, aria=False).encode(
        x=x, order="share:Q", detail=["entry:N", "series:N"], color=color
    )
    marks = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=x, color=color, shape=shape, tooltip="says:N", description="says:N"
    )
    return wide(alt.layer(tracks, marks), 44 * len(entries))


def says(row: Row) -> str:
    """The tooltip of a point."""
    measure = "top-5" if row["measure"] == "top5_err" else "top-1"
    return (
        f"{row['entry']}, {row['series']}: {row['error']:.2f} % {measure} with {row['of']},"
        f" {row['share']:.2f} of one net with one crop ({row['source']})"
    )
