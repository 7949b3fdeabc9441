"""The points of the errors over the years, of the committed quick study by its single crop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ilsvrc_replay import files
from ilsvrc_replay.page.charts import error_by_year
from ilsvrc_replay.page.charts.error_by_year import View
from ilsvrc_replay.page.points_by_year import HEADLINE, PAPER, TODAY
from ilsvrc_replay.page.results import Results
from ilsvrc_replay.params import load_study

ROOT = Path(__file__).parents[2]


@pytest.fixture
def board() -> dict[str, Any]:
    board = files.read_json(ROOT / "results/quick/leaderboard.json")
    return board | {"rows": [row for row in board["rows"] if row["protocol"] == "single_crop"]}


def results(board: dict[str, Any]) -> Results:
    return Results(load_study(ROOT / "pipelines/studies/quick.yaml"), board, [], {})


def views(board: dict[str, Any]) -> list[View]:
    return error_by_year.views(results(board))


def points(board: dict[str, Any], key: str, series: str | None) -> list[dict[str, Any]]:
    """The points of a series in a view; None stands for what was measured."""
    view = next(view for view in views(board) if view.key == key)
    found = error_by_year.curve(results(board), view).points
    return [point for point in found if (point["series"] == series if series else point["high"] is not None)]


def with_classes(board: dict[str, Any], number: int) -> dict[str, Any]:
    return board | {"baseline": board["baseline"] | {"chance_top1_err": 100 * (1 - 1 / number)}}


def test_in_the_relative_view_every_series_starts_with_one(board: dict[str, Any]) -> None:
    assert [view.key for view in views(board)] == ["relative", "top1", "top5"]
    for series in (HEADLINE, PAPER, TODAY, None):
        alexnet = [point for point in points(board, "relative", series) if point["says"].lower().startswith("alexnet")]
        assert round(alexnet[0]["err"], 2) == 1.0  # the net itself; an ensemble of its seeds may follow


def test_a_net_with_two_recipes_has_its_papers_point_once(board: dict[str, Any]) -> None:
    first = next(row for row in board["rows"] if row["kind"] == "single")
    twice = board | {"rows": [*board["rows"], first | {"entry": f"{first['entry']}-era", "recipe": "era"}]}
    for series in (PAPER, TODAY):
        assert len(points(twice, "top1", series)) == len(points(board, "top1", series)) > 0
    assert len(points(twice, "top1", None)) == len(points(board, "top1", None)), "the chart of recipes has it"
    another = board | {"rows": [*board["rows"], first | {"entry": "mine", "recipe": "mine"}]}
    assert len(points(another, "top1", None)) == len(points(board, "top1", None)) + 1


def test_measured_points_are_the_boards_with_their_intervals(board: dict[str, Any]) -> None:
    measured = points(board, "top1", None)
    for row, point in zip(board["rows"], measured, strict=True):
        assert (point["err"], point["low"], point["high"]) == (
            row["top1_err"],
            row["top1_err_low"],
            row["top1_err_high"],
        )
        assert abs(point["x"] - row["year"]) < 0.5
    at = {(row["entry"], point["x"]) for row, point in zip(board["rows"], measured, strict=True)}
    assert len({x for _, x in at}) == len(at), "no net hides another"


def test_headlines_stand_only_where_top_5_is_the_measure(board: dict[str, Any]) -> None:
    assert points(board, "top1", HEADLINE) == []
    winners = [point["err"] for point in points(board, "top5", HEADLINE) if "order" in point]
    assert winners == [28.19, 25.77, 16.42, 11.74, 6.66, 3.57, 2.99]


def test_top_5_is_measured_only_where_there_are_classes_enough(board: dict[str, Any]) -> None:
    assert points(board, "top5", None) == []
    many = with_classes(board, 200)
    assert [view.key for view in views(many)] == ["top5", "relative", "top1"]
    assert [point["err"] for point in points(many, "top5", None)] == [row["top5_err"] for row in many["rows"]]


def test_equal_ratios_are_told_of_only_where_the_axis_shows_them(board: dict[str, Any]) -> None:
    many = with_classes(board, 200)
    perfect = many | {"rows": [row | {"top5_err": 0.0} for row in many["rows"]]}
    for content, kind in ((many, "log"), (perfect, "linear")):
        chart = error_by_year.chart(results(content))
        assert f'"type": "{kind}"' in json.dumps(chart.specs["top5"])
        assert ("equal ratios" in chart.notes["top5"]) == (kind == "log")


def test_a_study_without_history_still_has_its_curve(board: dict[str, Any]) -> None:
    rows = [row | {"year": None, "architecture": "timm/vit_base_patch16_224"} for row in board["rows"]]
    assert [view.key for view in views(board | {"rows": rows})] == ["top5"]
    assert points(board | {"rows": rows}, "top5", None) == []


def test_another_protocol_is_measured_by_its_own_first_net(board: dict[str, Any]) -> None:
    halved = [row | {"protocol": "ten_crop", "top1_err": row["top1_err"] / 2} for row in board["rows"]]
    measured = points(board | {"rows": board["rows"] + halved}, "relative", None)
    by_protocol = {name: [p["err"] for p in measured if p["protocol"] == name] for name in ("single_crop", "ten_crop")}
    assert by_protocol["single_crop"] == by_protocol["ten_crop"]


def test_names_of_one_place_stand_apart_in_the_protocol_that_the_page_opens_with(board: dict[str, Any]) -> None:
    halved = [row | {"protocol": "ten_crop", "top1_err": row["top1_err"] / 2} for row in board["rows"]]
    both = board | {"rows": board["rows"] + halved}
    (published,) = [point for point in points(both, "relative", HEADLINE) if point["name"].startswith("AlexNet")]
    here = next(point for point in points(both, "relative", None) if point["name"] == "alexnet")
    assert (here["x"], here["err"]) == pytest.approx((published["x"], published["err"]), abs=0.01)
    assert published["wide_align"]
    assert here["wide_align"]
    offsets = [(point["wide_dx"], point["wide_dy"]) for point in (here, published)]
    assert offsets[0] != offsets[1]
