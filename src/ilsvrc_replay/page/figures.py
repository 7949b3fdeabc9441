"""The charts as files: SVG, and PNG for slides."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import vl_convert
from PIL import Image

from ilsvrc_replay import files

WIDTH, PANEL = 720, 150  # px; a PNG has twice as many
COLUMNS = 4  # of a figure of panels
SHADES = 64  # of a PNG: few colours, in git for good


def write(folder: Path, charts: dict[str, dict[str, Any]]) -> None:
    """Write <name>.svg and <name>.png for every Vega-Lite specification, in ink on white, to `folder`."""
    for name, chart in charts.items():
        fixed = on_paper(chart)
        files.write_text(folder / f"{name}.svg", vl_convert.vegalite_to_svg(fixed))
        drawn = Image.open(BytesIO(vl_convert.vegalite_to_png(fixed, scale=2)))
        with files.whole_file(folder / f"{name}.png") as partial:
            drawn.convert("RGB").quantize(SHADES).save(partial, "png", optimize=True)


def on_paper(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart with a width of its own, a margin and a white ground."""
    fixed = copy.deepcopy(chart) | {"background": "white", "padding": 12}
    return fixed | ({"width": WIDTH - 80} if "width" in fixed else {})


def panels(chart: dict[str, Any], parameter: str, values: Sequence[str]) -> dict[str, Any]:
    """One specification with a panel for each of `values` of the chart's `parameter`."""
    drawn = []
    for value in values:
        panel = replaced(chart, f"datum.{parameter} == {parameter}", f"datum.{parameter} == '{value}'")
        kept = {
            key: part for key, part in panel.items() if key not in ("params", "config", "data", "$schema", "datasets")
        }
        drawn.append(kept | {"title": {"text": value, "anchor": "start", "fontSize": 12}, "width": PANEL})
    shared = {key: chart[key] for key in ("$schema", "config", "data", "datasets", "description") if key in chart}
    return shared | {"concat": drawn, "columns": COLUMNS, "spacing": 18}


def replaced(part: Any, old: str, new: str) -> Any:
    """A copy of a specification in which every text `old` is `new`."""
    if isinstance(part, dict):
        return {key: replaced(value, old, new) for key, value in part.items()}
    if isinstance(part, list):
        return [replaced(value, old, new) for value in part]
    return new if part == old else part
