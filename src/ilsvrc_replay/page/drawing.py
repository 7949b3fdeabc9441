"""What the charts have in common: colours, fonts, axes, data and names, in Vega-Lite.

Colours are Okabe and Ito's, which stay apart for those who do not see all colours. Lines and words are drawn in
`currentColor`, so that the page's own colour, light or dark, is theirs.
"""

from __future__ import annotations

from typing import Any

import altair as alt

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.chart import Spec

INK, BLUE, VERMILLION, GREEN, GREY = "currentColor", "#0072B2", "#D55E00", "#009E73", "#888888"
RUST = "#A84700"  # vermillion as words need it to be read
FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
NARROW = 480  # px: names are laid out once for wider and once for narrower charts
DOMAIN = {"domainOpacity": 0.4, "tickOpacity": 0.4}


def config() -> dict[str, Any]:
    """Vega-Lite's settings for all charts."""
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


def spec(chart: alt.LayerChart, description: str) -> Spec:
    """The specification of a chart, one for the page and the SVG."""
    chart = chart.properties(description=description)
    return chart.to_dict() | {"config": config()}


def wide(chart: alt.LayerChart, height: int) -> alt.LayerChart:
    """The chart, `height` px high and as wide as the page lets it."""
    return chart.properties(width="container", height=height)


def table(rows: list[Row]) -> alt.InlineData:
    """Rows as a chart reads them: numbers to six digits, None left out."""
    kept = [
        {
            key: float(f"{value:.6g}") if isinstance(value, float) else value
            for key, value in row.items()
            if value is not None
        }
        for row in rows
    ]
    return alt.InlineData(values=kept)  # altair writes equal ones once for all layers


def of_protocol(protocol: str) -> tuple[alt.Parameter, str]:
    """The parameter that the page sets to show another protocol ("": all), and the filter that depends on it."""
    param = alt.param(name="protocol", value=protocol)
    return param, "!isValid(datum.protocol) || protocol == '' || datum.protocol == protocol"


def names(base: alt.Chart, color: str) -> list[alt.Chart]:
    """The layers of names at the places of label_placement.py, for wide and for narrow charts.

    Places are found for each protocol by itself: where all are shown, points of a protocol go without names.
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
