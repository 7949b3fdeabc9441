"""The leaderboard's rows: what a study measured beside what its nets' papers published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard.ensembles import Ensemble, of_study
from ilsvrc_replay.papers.published import Published, Single, find
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name
from ilsvrc_replay.statistics.intervals import error_with_interval

Metrics = Mapping[str, dict[str, Any]]

COLUMNS = (
    "entry",
    "kind",
    "members",
    "architecture",
    "year",
    "recipe",
    "width",
    "compact",
    "param_count",
    "gmacs",
    "dataset",
    "protocol",
    "crop_pct",
    "images",
    "seeds",
    "top1_err",
    "top1_err_low",
    "top1_err_high",
    "top5_err",
    "top5_err_low",
    "top5_err_high",
    "headline_top5_err",
    "single_top1_err",
    "single_top5_err",
    "single_protocol",
    "source",
)


def rows(study: Study, metrics: Metrics, ensembles: Metrics) -> list[dict[str, Any]]:
    """A row (of COLUMNS) for every entry and protocol and for every ensemble, `in_order`.

    `metrics` are what stage evaluate wrote, by run; `ensembles` what evaluation.ensembles measured, by name and
    protocol. Raises StudyError if the runs of an entry do not agree on what was measured.
    """
    found = [
        row(study, entry, protocol, [metrics[run_name(entry, seed)] for seed in study.seeds])
        for entry in study.entries
        for protocol in study.protocols(entry)
    ]
    found += [
        ensemble_row(study, ensemble, protocol, measured, metrics)
        for ensemble in of_study(study)
        for protocol, measured in ensembles[ensemble.name].items()
    ]
    return in_order(study, found)


def in_order(study: Study, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by year, those of one year in the study's order, and an entry's ensemble under the entry."""
    places = {entry: place for place, entry in enumerate(study.entries)}
    return sorted(found, key=lambda row: (row["year"] or 9999, places.get(row["entry"], len(places))))


def row(study: Study, name: str, protocol: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the entry `name`, averaged over its `runs`, beside its paper's figures."""
    net, first = study.net(name), runs[0]
    same = ("param_count", "gmacs", "compact")
    alike = {(*(run[key] for key in same), run[protocol]["images"]) for run in runs}
    if len(alike) > 1:
        raise StudyError(f"the seeds of {name} were not measured alike: run `dvc repro evaluate` again")
    values = {
        "entry": name,
        "kind": "single",
        "members": "",
        "architecture": net.architecture,
        "year": year_of(study, name),
        "recipe": study.recipe(name),
        "width": net.width,
        **{key: first[key] for key in same},
        "seeds": len(runs),
    }
    return completed(study, values | of_paper(study, name), protocol, [run[protocol] for run in runs])


def ensemble_row(
    study: Study, ensemble: Ensemble, protocol: str, measured: dict[str, Any], metrics: Metrics
) -> dict[str, Any]:
    """The row of an ensemble: its nets' sizes summed, beside the published ensemble that it stands for."""
    own, history = ensemble.name in study.entries, find(ensemble.stands_for or "")
    widths = {study.net(name).width for name in ensemble.entries}
    runs = ensemble.runs(study)
    values = {
        "entry": ensemble.name,
        "kind": "ensemble",
        "members": " + ".join(runs),
        "architecture": ensemble.stands_for or "",
        "year": year_of(study, ensemble.name) if own else history and history.year,
        "recipe": " + ".join(dict.fromkeys(map(study.recipe, ensemble.entries))),
        "width": next(iter(widths)) if len(widths) == 1 else None,
        "compact": None,
        "param_count": sum(metrics[run]["param_count"] for run in runs),
        "gmacs": round(sum(metrics[run]["gmacs"] for run in runs), 6),
        "seeds": len(study.seeds),
    }
    figures = of_paper(study, ensemble.name, alone=False) if own else stated(history, None)
    return completed(study, values | figures, protocol, [measured])


def year_of(study: Study, name: str) -> int | None:
    """The year of an entry: of its net's paper, or the entry's own."""
    history = find(study.net(name).architecture)
    return history.year if history else study.entry(name).year


def of_paper(study: Study, name: str, alone: bool = True) -> dict[str, Any]:
    """The published figures of an entry: of the famous ensemble and, for a net `alone`, of its paper's single one."""
    net = study.net(name)
    paper = find(net.architecture, net.activation)
    return stated(paper, paper.single if paper and alone else None)


def stated(paper: Published | None, single: Single | None) -> dict[str, Any]:
    """A paper's ensemble and one of its single nets as a row's values, with where they stand."""
    headline = paper and paper.headline
    sources = [headline and f"headline: {headline.of}, {headline.table}", single and f"single: {single.table}"]
    return {
        "headline_top5_err": headline and headline.top5_err,
        "single_top1_err": single and single.top1_err,
        "single_top5_err": single and single.top5_err,
        "single_protocol": single and " on ".join([single.protocol, *other_data(single)]),
        "source": "; ".join(filter(None, sources)),
    }


def completed(study: Study, values: dict[str, Any], protocol: str, measured: list[dict[str, Any]]) -> dict[str, Any]:
    """`values` with what all kinds of rows have: data, protocol, errors with intervals."""
    values |= {
        "dataset": study.dataset.name,
        "protocol": protocol,
        "crop_pct": measured[0].get("crop_pct"),
        "images": measured[0]["images"],
    }
    for key in ("top1_err", "top5_err"):
        errors = [values_[key] for values_ in measured]
        values[key], values[f"{key}_low"], values[f"{key}_high"] = error_with_interval(errors, values["images"])
    return {column: values[column] for column in COLUMNS}


def other_data(single: Single) -> list[str]:
    """The data set of a published figure, where it is not ImageNet."""
    return [] if single.dataset == "ImageNet" else [single.dataset]
