"""The leaderboard's rows: what a study measured beside what was published."""

from __future__ import annotations

from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.statistics import error_with_interval
from ilsvrc_replay.history.published import Single, published
from ilsvrc_replay.params import Study, run_name

COLUMNS = (
    "entry",
    "kind",
    "architecture",
    "year",
    "recipe",
    "width",
    "compact",
    "param_count",
    "gmacs",
    "dataset",
    "protocol",
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


def rows(study: Study, metrics: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row (of COLUMNS) for every entry and protocol, in order of year; `metrics` by run as evaluate writes them.

    Raises StudyError if the runs of an entry do not agree on what was measured.
    """
    found = [
        row(study, entry, protocol, [metrics[run_name(entry, seed)] for seed in study.seeds])
        for entry in study.entries
        for protocol in study.evaluation.protocols
    ]
    return sorted(found, key=lambda row: row["year"] or 9999)


def row(study: Study, name: str, protocol: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    entry, first = study.entries[name], runs[0]
    same = ("images", "param_count", "gmacs", "compact")
    if any(run[key] != first[key] for run in runs for key in same):
        raise StudyError(f"the seeds of {name} were not measured alike: run `dvc repro evaluate` again")
    history = published().get(entry.architecture)
    headline, single = (history.headline, history.single) if history else (None, None)
    values = {
        "entry": name,
        "kind": "single",
        "architecture": entry.architecture,
        "year": history.year if history else None,
        "recipe": entry.recipe,
        "width": entry.width,
        "compact": first["compact"],
        "param_count": first["param_count"],
        "gmacs": first["gmacs"],
        "dataset": study.dataset.name,
        "protocol": protocol,
        "images": first["images"],
        "seeds": len(runs),
        "headline_top5_err": headline and headline.top5_err,
        "single_top1_err": single and single.top1_err,
        "single_top5_err": single and single.top5_err,
        "single_protocol": single and " on ".join([single.protocol, *other_data(single)]),
        "source": "; ".join(
            part
            for part in (
                headline and f"headline: {headline.of}, {headline.table}",
                single and f"single: {single.table}",
            )
            if part
        ),
    }
    for key in ("top1_err", "top5_err"):
        errors = [run[protocol][key] for run in runs]
        values[key], values[f"{key}_low"], values[f"{key}_high"] = error_with_interval(errors, first["images"])
    return {column: values[column] for column in COLUMNS}


def other_data(single: Single) -> list[str]:
    """The data set of a published figure, where it is not ImageNet."""
    return [] if single.dataset == "ImageNet" else [single.dataset]
