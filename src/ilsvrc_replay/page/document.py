"""The board as one page that needs no network: tables to sort, charts to look into, and what remakes each row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2

from ilsvrc_replay.leaderboard.floors import images_of, linear_error, linear_errors
from ilsvrc_replay.page import columns
from ilsvrc_replay.page.chart import Chart, Spec
from ilsvrc_replay.page.charts import CHARTS
from ilsvrc_replay.page.results import Results
from ilsvrc_replay.papers.challenge import challenge

HERE = Path(__file__).parent


def charts(results: Results) -> list[Chart]:
    """The page's charts, in its order, without those that the study has no data for. Claims come first in a study that
    asks nothing of the history."""
    drawn = [chart for module in CHARTS if (chart := module.chart(results))]
    return drawn if results.study.of_history else sorted(drawn, key=lambda chart: chart.key != "claims")


def figures(drawn: list[Chart]) -> dict[str, Spec]:
    """The specifications that become files of their own, by file name."""
    return {name: spec for chart in drawn for name, spec in chart.figures.items()}


def templates() -> jinja2.Environment:
    """The pages' templates, with all that they insert escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )


def render(results: Results, drawn: list[Chart], script: str) -> str:
    """The page, with its charts as `charts` made them and Vega's `script`. Equal arguments give equal bytes."""
    study, rows, baseline = results.study, results.rows, results.board["baseline"]
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            study=study.study,
            question=study.question,
            dataset=study.dataset.name,
            board=results.board,
            tested_on=images_of(rows),
            linear=linear_errors(rows, baseline),
            classes=results.classes,
            seeds=len(study.seeds),
            entries=len({row["entry"] for row in rows if row["kind"] == "single"}),
            protocol_options=columns.protocols(study, rows),
            trained=bool(results.curves),
            charts=drawn,
            unbeaten=[row for row in rows if row["top1_err"] >= linear_error(baseline, row["protocol"])],
            winners=challenge().winners,
            columns=columns.columns(rows),
            groups=columns.groups(rows),
            intervals=columns.intervals(rows),
            added=columns.added(rows),
            same=columns.same(rows),
            sources=columns.sources(rows),
            claims=results.board["claims"],
            remakes=columns.remakes(study, results.weights),
            ensembles=columns.ensembles(study, rows),
            specs=embedded({name: spec for chart in drawn for name, spec in chart.named_specs.items()}),
            vega=script,
            css=(HERE / "page.css").read_text(encoding="utf-8"),
            js="".join((HERE / name).read_text(encoding="utf-8") for name in ("tables.js", "page.js")),
        )
    )


def embedded(content: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
