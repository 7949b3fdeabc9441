"""Pages drawn from a results folder alone: of a study that trains nothing, with a net of one's own, and the list."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import trained_runs
from ilsvrc_replay.leaderboard.board import CLAIM_COLUMNS
from ilsvrc_replay.leaderboard.steps import LOWER
from ilsvrc_replay.leaderboard.tunings import is_chosen
from ilsvrc_replay.page import columns, document, figures, listing, make, results, searches, sketch
from ilsvrc_replay.page.charts import error_by_recipe, training_curves
from ilsvrc_replay.page.drawing import spec
from ilsvrc_replay.params import Study, load_study
from ilsvrc_replay.run import CURVE, CURVE_COLUMNS, RECORD, run_name
from ilsvrc_replay.tools import redraw

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the default study's results."""
    return Path(shutil.copytree(ROOT / "results/quick", tmp_path / "quick"))


def test_a_study_without_training_has_a_page_without_training_curves(folder: Path, tmp_path: Path) -> None:
    params = files.read_json(folder / "params.json")
    published = {name: {"recipe": "pretrained", "weights": f"timm/{name}"} for name in params["entries"]}
    files.write_json(folder / "params.json", params | {"seeds": [0], "entries": published})
    study = Study.model_validate(files.read_json(folder / "params.json"))
    for entry, seed in study.runs:
        run = tmp_path / "runs" / run_name(entry, seed)
        files.write_json(run / RECORD, {"weights_sha256": "0" * 64})
        files.write_text(run / CURVE, files.as_csv([], CURVE_COLUMNS))
    trained_runs.write(folder, trained_runs.read(study, tmp_path / "runs"))
    assert (folder / "curves.csv").read_text() == ",".join(trained_runs.COLUMNS) + "\n"
    board = files.read_json(folder / "leaderboard.json")
    claim = {"claim": "a claim", "verdict": "not judged: one seed", "published": "as published", "source": "a source"}
    board["claims"] = [dict.fromkeys(CLAIM_COLUMNS) | claim]
    files.write_json(folder / "leaderboard.json", board)
    found = results.read(folder)
    drawn = document.charts(found)
    assert [chart.key for chart in drawn] == ["history", "steps", "parts", "cost", "claims"]
    figures.write(tmp_path / "figures", document.figures(drawn))
    assert sorted(path.name for path in (tmp_path / "figures").glob("*.svg")) == [
        "error-by-macs.svg",
        "error-by-parameters.svg",
        "history.svg",
        "parts.svg",
        "steps.svg",
    ]
    page = document.render(found, drawn, "")
    assert ">not judged: one seed</span>" in page
    assert "<td>as published; a source</td>" in page
    assert "#training" not in page
    specs = page.partition('id="specs">')[2].partition("</script>")[0]
    assert "training" not in json.loads(specs)


def test_the_finding_leads(folder: Path) -> None:
    found = results.read(folder)
    page = document.render(found, document.charts(found), "")
    assert f"<h1>{found.study.question}</h1>" in page
    assert f'<p class="lede">{found.board["finding"][0]}</p>' in page
    for card in found.board["cards"]:
        assert f'<p class="figure">{card["figure"]}</p>' in page


def test_a_net_of_ones_own_has_its_rank_and_the_distance_to_the_next() -> None:
    values = {"kind": "single", "protocol": "single_crop"}
    rows = [
        values | {"entry": "resnet18", "architecture": "resnet18", "top1_err": 9.0},
        values | {"entry": "mine", "architecture": "timm/convnext_atto", "top1_err": 9.5},
        values | {"entry": "alexnet", "architecture": "alexnet", "top1_err": 13.0},
    ]
    assert columns.added(rows) == {"mine": "2 of 3 by single_crop, 0.50 points behind resnet18"}


def test_the_same_net_by_two_recipes_is_a_slope() -> None:
    values = {"kind": "single", "protocol": "single_crop", "top1_err_low": 9.0, "top1_err_high": 15.0}
    values |= {"width": 0.5, "compact": 1}
    rows = [
        values | {"entry": "vgg16", "architecture": "vgg16", "recipe": "modern", "top1_err": 10.0},
        values | {"entry": "vgg16-era", "architecture": "vgg16", "recipe": "era", "top1_err": 14.0},
        values | {"entry": "alexnet", "architecture": "alexnet", "recipe": "modern", "top1_err": 13.0},
        values | {"entry": "vgg16", "architecture": "vgg16", "recipe": "modern", "top1_err": 9.9, "kind": "ensemble"},
    ]
    points = error_by_recipe.slopes(rows)
    assert [(point["net"], point["recipe"], point["err"]) for point in points] == [
        ("vgg16", "modern", 10.0),
        ("vgg16", "era", 14.0),
    ]
    drawn = spec(error_by_recipe.draw(points, "single_crop"), "")
    assert drawn["layer"][0]["encoding"]["x"]["sort"] == ["era", "modern"]


def test_a_studys_own_steps_are_no_history(folder: Path) -> None:
    params = files.read_json(folder / "params.json") | {"steps": [["alexnet", "zfnet"]]}
    files.write_json(folder / "params.json", params)
    board = files.read_json(folder / "leaderboard.json")
    board["steps"] = [step | {"verdict": LOWER} for step in board["steps"][:1]]
    files.write_json(folder / "leaderboard.json", board)
    found = results.read(folder)
    page = document.render(found, document.charts(found), "")
    assert "What the changes did" in page
    assert "Did history hold?" not in page
    assert '<span class="badge fell">resolved, lower</span>' in page


def test_intervals_are_drawn_to_one_scale() -> None:
    rows = [
        {"top1_err_low": 10.0, "top1_err": 12.0, "top1_err_high": 14.0},
        {"top1_err_low": 18.0, "top1_err": 19.0, "top1_err_high": 20.0},
    ]
    assert columns.intervals(rows) == [(0.0, 40.0, 20.0), (80.0, 100.0, 90.0)]


def test_the_list_names_each_study_with_its_question_and_finding(folder: Path) -> None:
    found = results.read(folder)
    claims = files.read_csv(ROOT / "results/claims/built.csv")
    page = listing.render([found], [], claims)
    assert found.study.question in page
    assert "10,000 test images of fashion-mnist" in page
    assert page.count('<th scope="row">') == len(claims)
    chain = ("alexnet", "zfnet", "vgg16", "googlenet", "bn_inception", "resnet50")
    errors = {row["entry"]: row["top1_err"] for row in found.rows if row["kind"] == "single"}
    dots = sketch.sketch(found)
    assert [dot.error for dot in dots] == [errors[entry] for entry in chain]
    assert sorted(dots, key=lambda dot: dot.y) == sorted(dots, key=lambda dot: -dot.error)
    assert all(0 < dot.high <= dot.y <= dot.low < sketch.HEIGHT for dot in dots)
    assert f"<title>BN-Inception: {errors['bn_inception']:.2f} %</title>" in page


def test_the_list_counts_what_claims_a_study_saw() -> None:
    found = results.read(ROOT / "results/claims")
    assert sketch.sketch(found) == []
    page = listing.render([found], [], [])
    assert '<span class="badge not-seen">3 not seen</span> <span class="badge seen">1 seen</span>' in page


def test_all_nets_train_on_one_axis() -> None:
    found = results.read(ROOT / "results/claims")
    errors = [row["val_top1_err"] for row in found.curves]
    for entry in ("resnet18", "googlenet-no-auxiliaries"):
        drawn = spec(training_curves.draw(found.curves, entry), "")
        for layer in drawn["layer"]:
            assert layer["encoding"]["y"]["scale"]["domain"] == [min(errors), max(errors)]


def test_the_list_shows_what_a_search_has_tried() -> None:
    rates = next(search for search in searches.read(ROOT / "results") if search.study.study == "quick-rates")
    chosen = {entry: value for entry, rows in rates.tried.items() for value, row in rows.items() if is_chosen(row)}
    quick = load_study(ROOT / "pipelines/studies/quick.yaml")
    assert chosen == {entry: quick.given(entry, "lr") for entry in quick.entries}
    page = listing.render([], [rates], [])
    for rows in rates.tried.values():
        for row in rows.values():
            assert f"{row['val_top1_err']:.2f}</" in page
    assert page.count("<strong") == len(rates.tried)
    assert "At the edge of the search" in page


@pytest.mark.parametrize(("name", "content"), [("params.json", "{}"), ("tuning.csv", "entry,value\nalexnet,high\n")])
def test_a_search_of_other_code_is_left_out_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    shutil.copytree(ROOT / "results/quick-rates", tmp_path / "a-good-one")
    shutil.copytree(ROOT / "results/quick-rates", tmp_path / "other")
    (tmp_path / "other" / name).write_text(content, encoding="utf-8")
    assert len(list(searches.read(tmp_path))) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"warning: {tmp_path / 'other'}")
    assert said.endswith(": run its study again")


def test_results_of_other_code_are_left_out_with_a_warning(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, tmp_path / "older")
    (tmp_path / "older/weights.csv").unlink()
    old = shutil.copytree(folder, tmp_path / "oldest") / "leaderboard.json"
    files.write_json(old, {key: value for key, value in files.read_json(old).items() if key != "finding"})
    make.index(tmp_path, ROOT / "results/claims/built.csv")
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("<article") == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.endswith(": run its study again") for line in said] == [True, True]
    assert "weights.csv" in said[0]
    assert "has no finding" in said[1]


def test_the_pages_in_git_are_what_their_results_give(tmp_path: Path) -> None:
    root = Path(shutil.copytree(ROOT / "results", tmp_path / "results"))
    pages = [path.relative_to(root) for path in redraw.redraw(root)]
    assert Path("quick/index.html") in pages
    for page in [*pages, *(path.relative_to(root) for path in root.glob("*/figures/*.svg"))]:
        assert (root / page).read_bytes() == (ROOT / "results" / page).read_bytes(), f"{page}: run `replay redraw`"


def test_a_study_of_claims_leads_with_them_and_draws_no_history() -> None:
    found = results.read(ROOT / "results/claims")
    drawn = document.charts(found)
    assert not {"history", "steps", "parts"} & {chart.key for chart in drawn}
    page = document.render(found, drawn, "")
    order = [page.index(f'id="{name}"') for name in ("claims", "board", "cost", "remake")]
    assert order == sorted(order)
    assert page.count('id="claims"') == page.count('id="board"') == 1
    claims = next(chart for chart in drawn if chart.key == "claims")
    assert list(claims.options) == ["times", "points"], "in the order of the claims"
    text = json.dumps(claims.specs)
    for row in found.board["claims"]:
        assert f"Published: {row['published']}" in text or row["published_change"] is None
        assert json.dumps(row["figure"].partition(", p = ")[0])[1:-1] in text
    assert re.findall(r"<nav.*", page)[0].index("#claims") < re.findall(r"<nav.*", page)[0].index("#board")
