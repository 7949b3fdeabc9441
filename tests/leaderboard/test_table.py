from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import render, table
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.params import Study

BASELINE = {
    "chance_top1_err": 90.0,
    "chance_top5_err": 50.0,
    "linear_top1_err": 15.59,
    "linear_top5_err": 0.37,
    "linear": "a linear classifier",
    "images": 10_000,
}


def board(seeds: list[int], names: dict[str, str]) -> Study:
    entries = {name: {"architecture": name.split("-")[0]} for name in names}
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "fashion-mnist"},
            "compute": {},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500},
            "seeds": seeds,
            "entries": entries,
        }
    )


def measured(top1: float, **other: Any) -> dict[str, Any]:
    errors = {"images": 10_000, "crop_pct": 1.0, "top1_err": top1, "top5_err": top1 / 10}
    return {"param_count": 7, "gmacs": 0.002, "compact": 4, "single_crop": errors | other}


def test_rows_stand_in_order_of_year_with_published_figures_beside_them() -> None:
    study = board([0], {"resnet50": "resnet", "alexnet-wide": "alexnet", "alexnet": "alexnet"})
    study = study.model_copy(
        update={
            "entries": {k: e.model_copy(update={"architecture": k.split("-")[0]}) for k, e in study.entries.items()}
        }
    )
    rows = table.rows(study, {"resnet50-0": measured(9), "alexnet-0": measured(12), "alexnet-wide-0": measured(11)}, {})
    assert [row["entry"] for row in rows] == ["alexnet-wide", "alexnet", "resnet50"]
    alexnet = rows[1]
    assert tuple(alexnet) == table.COLUMNS
    assert (alexnet["headline_top5_err"], alexnet["single_top5_err"], alexnet["single_protocol"]) == (
        16.4,
        18.2,
        "ten_crop",
    )
    assert "AlexNet table 2" in alexnet["source"]
    assert alexnet["top1_err_low"] < 12 < alexnet["top1_err_high"]


def test_an_ensemble_stands_under_its_entry_in_the_studys_order() -> None:
    study = board([0, 1], {"vgg16": "", "googlenet": "", "alexnet": ""})
    found = [
        {"entry": entry, "kind": kind, "year": year}
        for kind in ("single", "ensemble")
        for entry, year in (("vgg16", 2014), ("googlenet", 2014), ("mix", 2014), ("other", None), ("alexnet", 2012))
    ]
    order = [(row["entry"], row["kind"]) for row in table.in_order(study, found)]
    assert order == [
        (entry, kind) for entry in ("alexnet", "vgg16", "googlenet", "mix", "other") for kind in ("single", "ensemble")
    ]


def test_a_net_with_another_activation_than_its_papers_has_no_published_figures() -> None:
    study = board([0], {"alexnet": "", "alexnet-tanh": ""})
    study.entries["alexnet-tanh"] = study.entries["alexnet-tanh"].model_copy(update={"activation": "tanh"})
    tanh = table.rows(study, {"alexnet-0": measured(12), "alexnet-tanh-0": measured(11)}, {})[1]
    assert (tanh["entry"], tanh["year"], tanh["source"]) == ("alexnet-tanh", 2012, "")
    assert [tanh[key] for key in ("headline_top5_err", "single_top1_err", "single_top5_err", "single_protocol")] == [
        None
    ] * 4


def test_seeds_are_averaged_and_counted() -> None:
    study = board([0, 1], {"alexnet": "alexnet"})
    (row,) = table.rows(study, {"alexnet-0": measured(10), "alexnet-1": measured(12)}, {"alexnet": {}})
    assert (row["top1_err"], row["seeds"]) == (11, 2)


def test_runs_that_were_not_measured_alike_are_refused() -> None:
    study = board([0, 1], {"alexnet": "alexnet"})
    with pytest.raises(StudyError, match="seeds of alexnet were not measured alike"):
        table.rows(study, {"alexnet-0": measured(10), "alexnet-1": measured(12, images=500)}, {"alexnet": {}})


def test_files_agree_and_state_what_any_net_must_beat() -> None:
    study = board([0], {"alexnet": "alexnet"})
    rows = table.rows(study, {"alexnet-0": measured(12)}, {})
    (from_csv,) = csv.DictReader(io.StringIO(files.as_csv(rows)))
    assert float(from_csv["top1_err"]) == rows[0]["top1_err"]
    text = render.as_markdown(study, Board(rows, [], [], []), BASELINE)
    for expected in ("90.0 %", "15.59 %", "10,000 test images of fashion-mnist", "12.00 (", "18.2 (ten_crop)"):
        assert expected in text


@pytest.mark.parametrize(("error", "words"), [(12, None), (16, "is not better than the linear"), (90, "did not leave")])
def test_the_board_says_what_did_not_train(error: float, words: str | None) -> None:
    study = board([0], {"alexnet": "alexnet"})
    rows = table.rows(study, {"alexnet-0": measured(error)}, {})
    text = render.as_markdown(study, Board(rows, [], [], []), BASELINE)
    assert ("What a linear classifier beats" in text) == (words is not None)
    assert words is None or words in text


def test_the_board_shows_every_reduction_and_names_those_that_depart_from_the_studys() -> None:
    study = board([0], {"alexnet": "alexnet", "inception_v3": "inception_v3", "inception_v4": "inception_v4"})
    factors = {"alexnet": 1, "inception_v3": 2, "inception_v4": 2}
    rows = table.rows(study, {f"{name}-0": measured(12) | {"compact": f} for name, f in factors.items()}, {})
    assert {row["entry"]: row["compact"] for row in rows} == factors
    text = render.as_markdown(study, Board(rows, [], [], []), BASELINE)
    for name, factor in factors.items():
        (line,) = (line for line in text.splitlines() if line.startswith("|") and f" {name} |" in line)
        assert f" era | 1 | {factor} |" in line
    assert "total stride by 1; these depart from it: inception_v3 by 2, inception_v4 by 2." in text
    alike = render.as_markdown(study, Board([row | {"compact": 1} for row in rows], [], [], []), BASELINE)
    assert "depart from it" not in alike
