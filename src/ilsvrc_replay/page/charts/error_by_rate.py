"""The chart of what stage tune has tried: a small panel for each tuned net, its validation error over the values."""

from __future__ import annotations

import altair as alt
from markupsafe import Markup

from ilsvrc_replay import search
from ilsvrc_replay.leaderboard import tunings
from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import INK, VERMILLION, spec, table, wide
from ilsvrc_replay.page.figures import panels
from ilsvrc_replay.page.results import Results

SHAPES = {"chosen": "circle", "not chosen": "stroke", "diverged": "cross"}


def chart(results: Results) -> Chart | None:
    """None for a study in which nothing was searched."""
    rows = results.board["tuning"]
    entries = tuple(tunings.of_entry(rows))
    if not entries:
        return None
    drawn = spec(draw(rows, entries[0]), "Validation error over the values that were tried")
    words = " ".join(tunings.sentences(rows, results.study))
    return Chart(
        key="tuning",
        heading="How their rates were chosen",
        intro=Markup("{words} Test images had no part in it.").format(words=words),
        specs={"": drawn},
        label="Validation error of {panel} over the values that were tried",
        panels=entries,
        caption=Markup(
            "Top-1 error in&#8239;% on held-out training images at the end of each trial; a dot is what was chosen, a"
            " cross a training that diverged. The numbers are in <code>results/{study}/tuning.csv</code>."
        ).format(study=results.study.study),
        figures={"tuning": panels(drawn, "entry", entries)},
    )


def draw(rows: list[Row], entry: str) -> alt.LayerChart:
    """The error over the values, as steps of equal width, of `entry`."""
    param = alt.param(name="entry", value=entry)
    points = [
        {key: row[key] for key in ("entry", "val_top1_err")}
        | {"value": f"{row['value']:g}", "order": number, "outcome": outcome(row)}
        for tried in tunings.of_entry(rows).values()
        for number, row in enumerate(sorted(tried, key=lambda row: row["value"]))
        if row["val_top1_err"] is not None
    ]
    x = alt.X("value:O", title=None, sort=alt.EncodingSortField("order")).axis(labelAngle=-40)
    y = alt.Y("val_top1_err:Q", title=None).axis(tickCount=4).scale(zero=False)
    base = alt.Chart(table(points)).transform_filter("datum.entry == entry").encode(x=x, y=y)
    line = base.transform_filter("datum.outcome != 'diverged'").mark_line(strokeWidth=0.8, color=INK, opacity=0.4)
    shape = alt.Shape("outcome:N", legend=None).scale(domain=list(SHAPES), range=list(SHAPES.values()))
    marks = base.mark_point(filled=True, size=70, opacity=1, color=VERMILLION, stroke=VERMILLION)
    return wide(alt.layer(line, marks.encode(shape=shape)).add_params(param), 110)


def outcome(row: Row) -> str:
    """What the shape of a point says."""
    return "chosen" if tunings.is_chosen(row) else "diverged" if row["outcome"] == search.DIVERGED else "not chosen"
