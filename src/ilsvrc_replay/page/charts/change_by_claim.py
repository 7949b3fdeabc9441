"""The chart of the claims that the runs look into: what was measured, with its interval, beside what was published."""

from __future__ import annotations

from collections import Counter
from textwrap import wrap

import altair as alt
from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.judgement import NOT_SEEN, OPPOSITE, SEEN
from ilsvrc_replay.page.chart import Chart
from ilsvrc_replay.page.drawing import BLUE, GREEN, GREY, VERMILLION, spec, table, wide
from ilsvrc_replay.page.results import Results

PUBLISHED = "published"
LOOKS = {
    SEEN: (GREEN, "circle"),
    NOT_SEEN: (GREY, "circle"),
    OPPOSITE: (VERMILLION, "circle"),
    PUBLISHED: (BLUE, "diamond"),
}
ARROWS = ("→", "←")  # beside a bound: to which side it is open
UNITS = {  # the switch, the axis in lines that a phone has room for, and where no difference lies
    "points": ("the error", ["points of error", "in favour of the claim"], 0.0),
    "times": ("steps to an error", ["times as many steps,", "in favour of the claim"], 1.0),
}


def chart(results: Results) -> Chart | None:
    """None for a study that looks into no claim."""
    claims = results.board["claims"]
    if not claims:
        return None
    units = dict.fromkeys(row["unit"] for row in claims)
    drawn = {unit: rows for unit in units if (rows := [row for row in claims if is_drawn(row, unit)])}
    specs = {unit: spec(draw(rows, unit), "What was measured on each claim") for unit, rows in drawn.items()}
    verdicts = Counter(row["verdict"] for row in claims)
    return Chart(
        key="claims",
        heading="Common claims, tested",
        intro=Markup(
            "{count} claims that this study’s runs look into: {verdicts}. Each compares two nets that differ in one"
            " setting. <em>Seen</em>, <em>not seen</em> and <em>opposite</em> are of this experiment, by Welch’s"
            " <i>t</i>-test over the seeds with Holm’s correction; they do not say whether a claim is true of the"
            " papers’ nets."
        ).format(count=len(claims), verdicts=", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())),
        specs=specs,
        legend="Show claims on",
        options={unit: UNITS[unit][0] for unit in specs},
        label="Chart: what was measured on each claim. arrow keys go through its points.",
        caption=Markup(
            "Right of the line is what the claim expects; bars are of 95&#8239;% confidence, of each claim alone. An"
            " arrow marks a bound: runs of one net did not get to the error. Numbers are in"
            " <code>results/{study}/measured.csv</code>."
        ).format(study=results.study.study),
        below="claims_table.html.j2",
        figures={f"claims-{unit}": drawn for unit, drawn in specs.items()},
    )


def is_drawn(row: Row, unit: str) -> bool:
    return row["unit"] == unit and row["change"] is not None


def draw(claims: list[Row], unit: str) -> alt.LayerChart:
    """A line for each claim: the change with its interval, and the published one as a diamond."""
    _, title, nothing = UNITS[unit]
    rows = [measured(row) for row in claims]
    rows += [published(row) for row in claims if row["published_change"] is not None]
    ends = [nothing, *(row[key] for row in rows for key in ("change", "low", "high") if row.get(key) is not None)]
    margin = 0.04 * (max(ends) - min(ends)) or 1.0
    x = alt.X("change:Q").title(title).axis(tickCount=6)
    x = x.scale(domain=[min(ends) - margin, max(ends) + margin], nice=False)
    y = alt.Y("claim:N", sort=[words(row) for row in claims], title=None)
    y = y.axis(domain=False, ticks=False, labelLimit=230, labelPadding=8, labelExpr="split(datum.label, '|')")
    looks = {kind: look for kind, look in LOOKS.items() if any(row["kind"] == kind for row in rows)}
    color = alt.Color("kind:N", title=None).scale(domain=list(looks), range=[color for color, _ in looks.values()])
    shape = alt.Shape("kind:N", title=None).scale(domain=list(looks), range=[shape for _, shape in looks.values()])
    base = alt.Chart(table(rows)).encode(y=y)
    zero = alt.Chart(alt.Data(values=[{}])).mark_rule(opacity=0.6, aria=False).encode(x=alt.datum(nothing))
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2, aria=False)
    told = {"tooltip": "says:N", "description": "says:N"}
    points = base.mark_point(filled=True, size=90, opacity=1).encode(x=x, color=color, shape=shape, **told)
    beside = alt.ExprRef(f"datum.open == '{ARROWS[0]}' ? 14 : -14")
    bounds = base.transform_filter("isValid(datum.open)").mark_text(fontSize=15, dx=beside, aria=False)
    bounds = bounds.encode(x=x, color=color, text="open:N")
    return wide(alt.layer(zero, bars.encode(x="low:Q", x2="high:Q", color=color), points, bounds), 56 * len(claims))


def measured(row: Row) -> Row:
    """What was measured on a claim; a bound is `open` to one side, with an arrow that says so."""
    low, high = row["change_low"], row["change_high"]
    arrow = {"open": ARROWS[low is None]} if None in (low, high) else {}
    ends = {"low": row["change"] if low is None else low, "high": row["change"] if high is None else high}
    says = f"{row['claim']} {row['verdict'].capitalize()}: {row['figure'].partition(', p = ')[0]}"
    return {"claim": words(row), "kind": row["verdict"], "change": row["change"], "says": says} | ends | arrow


def published(row: Row) -> Row:
    says = f"{row['claim']} Published: {row['published']} ({row['source']})"
    return {"claim": words(row), "kind": PUBLISHED, "change": row["published_change"], "says": says}


def words(row: Row) -> str:
    """The claim in lines, as its axis has them."""
    return "|".join(wrap(row["claim"], 34))
