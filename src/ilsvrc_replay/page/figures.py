"""The charts as SVG files: unlike pixels, their bytes do not depend on the fonts of a machine."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vl_convert

from ilsvrc_replay import files

WIDTH, PANEL = 720, 150  # px
COLUMNS = 4  # of a figure of panels


def write(folder: Path, charts: dict[str, dict[str, Any]]) -> None:
    """Write <name>.svg for every Vega-Lite specification, in ink on white, to `folder`."""
    for name, chart in charts.items():
        files.write_text(folder / f"{name}.svg", vl_convert.vegalite_to_svg(on_paper(chart)))


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
