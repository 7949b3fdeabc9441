"""The chart of the history's steps: how much the error changed at each, with its interval and verdict."""

from __future__ import annotations

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.chart import Chart, Results
from ilsvrc_replay.page.drawing import GREEN, GREY, VERMILLION, of_protocol, spec, table, wide

VERDICTS = {"reproduced": GREEN, "not resolved": GREY, "reversed": VERMILLION}


def chart(results: Results) -> Chart | None:
    """None for a study without steps."""
    if not results.board["steps"]:
        return None
    drawn = spec(draw(results.board["steps"], results.protocol), "Change of the error at each step of the history")
    one_seed = "; with one seed its interval knows the chance of the images, not that of another seed"
    return Chart(
        key="steps",
        heading="Did history hold?",
        intro=Markup(
            "History fell at every step. <em>Reproduced</em> is a fall here too, <em>reversed</em> a rise, both with"
            " 95&#8239;% confidence by a paired bootstrap over the test images; <em>not resolved</em> is neither. A"
            " verdict holds for these nets at this width and length of training{one_seed}."
        ).format(one_seed=one_seed if len(results.study.seeds) == 1 else ""),
        specs={"": drawn},
        label="Chart: change of the error at each step. Tab goes through its points.",
        caption=Markup(
            "Left of the line the error falls, as it did in history; bars are of 95&#8239;% confidence.{by_protocol}"
        ).format(by_protocol=results.by_protocol),
        below="steps_table.html.j2",
        figures={"steps": drawn},
    )


def draw(steps: list[Row], protocol: str) -> alt.LayerChart:
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
