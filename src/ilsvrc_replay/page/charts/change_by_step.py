"""The chart of the history's steps: how much the error changed at each, with its interval and verdict."""

from __future__ import annotations

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.judgement import NOT_RESOLVED, is_judged
from ilsvrc_replay.leaderboard.render import how_judged
from ilsvrc_replay.leaderboard.steps import AS_IN_HISTORY, HIGHER, LOWER, REVERSED
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import GREEN, GREY, INK, VERMILLION, of_protocol, spec, table, wide
from ilsvrc_replay.page.results import Results

FELL, ROSE = (AS_IN_HISTORY, LOWER), (REVERSED, HIGHER)  # of the history's steps, and of a study's own
SHAPES = ["triangle-left", "circle", "triangle-right", "cross"]


def chart(results: Results) -> Chart | None:
    """None for a study without steps."""
    if not results.board["steps"]:
        return None
    own = results.study.steps is not None
    drawn = spec(draw(results.board["steps"], results.protocol, own), "Change of the error at each step")
    return Chart(
        key="steps",
        heading="What the changes did" if own else "Did history hold?",
        intro=how_judged(own),
        specs={"": drawn},
        label="Chart: change of the error at each step. arrow keys go through its points.",
        caption=Markup(
            "Left of the line the error falls{history}; bars are of 95&#8239;% confidence, of each step alone."
            "{by_protocol}"
        ).format(history="" if own else ", as it did in history", by_protocol=results.by_protocol),
        below="steps_table.html.j2",
        figures={"steps": drawn},
    )


def draw(steps: list[Row], protocol: str, own: bool) -> alt.LayerChart:
    """The change of each step with its interval: left of the line the error falls. `own`: of the study's own steps."""
    verdicts = {FELL[own]: GREEN, NOT_RESOLVED: GREY, ROSE[own]: VERMILLION, "not judged": INK}
    param, chosen = of_protocol(protocol)
    kept = ("change", "change_low", "change_high", "protocol")
    rows = [
        {
            **{key: step[key] for key in kept},
            "verdict": step["verdict"] if is_judged(step["verdict"]) else "not judged",
            "step": f"{step['before']} → {step['after']}",
            "says": says(step),
        }
        for step in steps
    ]
    order = list(dict.fromkeys(row["step"] for row in rows))
    y = alt.Y("step:N", sort=order, title=None).axis(domain=False, ticks=False, labelLimit=190, labelPadding=8)
    drawn = [step[key] for step in steps for key in ("change", "change_low", "change_high")]
    ends = [0.0, *(value for value in drawn if value is not None)]
    margin = 0.03 * (max(ends) - min(ends)) or 1.0
    x = alt.X("change:Q").title("change of the top-1 error, points").axis(tickCount=6)
    x = x.scale(domain=[min(ends) - margin, max(ends) + margin], nice=False)
    color = alt.Color("verdict:N", title=None).scale(domain=list(verdicts), range=list(verdicts.values()))
    shape = alt.Shape("verdict:N", title=None).scale(domain=list(verdicts), range=SHAPES)
    base = alt.Chart(table(rows)).transform_filter(chosen).encode(y=y)
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(opacity=0.6, aria=False).encode(x=alt.datum(0))
    bars = [
        base.transform_filter(f"datum.verdict == '{verdict}' && isValid(datum.change_low)")
        .mark_rule(strokeWidth=2, color=of_verdict, aria=False)
        .encode(x=alt.X("change_low:Q"), x2="change_high:Q")
        for verdict, of_verdict in verdicts.items()
    ]
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x, color=color, shape=shape, tooltip="says:N", description="says:N"
    )
    return wide(alt.layer(zero, *bars, points).add_params(param), 30 * len(order))


def says(step: Row) -> str:
    """The tooltip of a step."""
    low, high = step["change_low"], step["change_high"]
    bounds = "" if low is None else f" ({low:+.2f} to {high:+.2f})"
    return f"{step['before']} to {step['after']}: {step['change']:+.2f} points{bounds}, {step['verdict']}"
