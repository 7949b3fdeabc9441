"""The board as one page that needs no network: tables to sort, charts to look into, and what remakes each row."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page import charts as draw
from ilsvrc_replay.page import columns, costs, figures, history
from ilsvrc_replay.papers.challenge import challenge
from ilsvrc_replay.params import Study

HERE = Path(__file__).parent
COSTS = {
    "macs": ("gmacs", 1e9, "multiply-adds for one image", "multiply-adds"),
    "parameters": ("param_count", 1, "parameters", "parameters"),
}


def charts(study: Study, board: dict[str, Any], curves: list[Row]) -> dict[str, dict[str, Any]]:
    """Every chart of the page as a Vega-Lite specification: history-<view>, cost-<key>, steps, training."""
    rows = board["rows"]
    protocol = columns.protocols(study, rows)[0][0]
    drawn = {}
    for view in history.views(board):
        chart = draw.history(history.draw(board, view), rows, protocol)
        drawn[f"history-{view.key}"] = draw.spec(chart, f"Error of the nets over the years: {view.axis}")
    if board["steps"]:
        chart = draw.steps(board["steps"], protocol)
        drawn["steps"] = draw.spec(chart, "Change of the error at each step of the history")
    for key, (column, unit, title, name) in COSTS.items():
        chart = draw.cost(costs.draw(rows, column, unit), title, protocol)
        drawn[f"cost-{key}"] = draw.spec(chart, f"Top-1 error against {name}")
    chart = draw.training(curves, curves[0]["entry"])
    drawn["training"] = draw.spec(chart, "Validation error over the epochs")
    return drawn


def printed(drawn: dict[str, dict[str, Any]], entries: list[str]) -> dict[str, dict[str, Any]]:
    """The charts that become files of their own, by file name: the history in its first view, the panels as one."""
    named = {"history": next(spec for name, spec in drawn.items() if name.startswith("history"))}
    named |= {f"error-by-{key}": drawn[f"cost-{key}"] for key in COSTS}
    named |= {"steps": drawn["steps"]} if "steps" in drawn else {}
    return named | {"curves": figures.panels(drawn["training"], "entry", entries)}


def render(
    study: Study,
    board: dict[str, Any],
    claims: list[Row],
    weights: dict[str, str],
    drawn: dict[str, dict[str, Any]],
    script: str,
) -> str:
    """The page. `weights` are the hashes by run, `script` is Vega's; equal arguments give equal bytes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    rows, views = board["rows"], history.views(board)
    return environment.get_template("page.html.j2").render(
        study=study.study,
        dataset=study.dataset.name,
        seeds=study.seeds,
        baseline=board["baseline"],
        classes=history.classes(board["baseline"]),
        nets=len({row["entry"] for row in rows if row["kind"] == "single"}),
        ensembles=any(row["kind"] == "ensemble" for row in rows),
        protocols=columns.column_of(rows, "protocol"),
        human=challenge().human,
        views=views,
        view_options=[(view.key, view.title) for view in views],
        protocol_options=columns.protocols(study, rows),
        cost_options=[(key, name) for key, (*_, name) in COSTS.items()],
        chart_names={"history": [f"history-{view.key}" for view in views], "cost": [f"cost-{key}" for key in COSTS]},
        winners=challenge().winners,
        columns=columns.columns(rows),
        groups=columns.groups(rows),
        same=columns.same(rows),
        rows=rows,
        sources=columns.sources(rows),
        steps=board["steps"],
        orders=board["orders"],
        one_seed=len(study.seeds) == 1,
        entries=list(study.entries),
        claims=claims,
        verdicts=Counter(claim["verdict"] for claim in claims),
        remakes=columns.remakes(study, weights),
        mixes=columns.ensembles(study, rows),
        specs=embedded(drawn),
        vega=script,
        css=(HERE / "page.css").read_text(),
        js=(HERE / "page.js").read_text(),
    )


def embedded(content: Any) -> str:
    """JSON that can stand inside a script element."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
