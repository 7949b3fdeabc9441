"""The chart of what stage tune has tried."""

from __future__ import annotations

from pathlib import Path

from ilsvrc_replay import files
from ilsvrc_replay.page import document, figures
from ilsvrc_replay.page.charts import error_by_rate
from ilsvrc_replay.page.results import Results
from ilsvrc_replay.params import load_study

ROOT = Path(__file__).parents[2]
TRIED = [
    ("alexnet", 0.004, 12.0, "trained"),
    ("alexnet", 0.002, 11.0, "chosen"),
    ("alexnet", 0.001, 13.0, "trained"),
    ("vgg16", 0.001, 11.0, "chosen, at the grid's edge"),
    ("vgg16", 0.002, 90.0, "diverged"),
    ("vgg16", 0.004, None, "diverged"),
]


def test_every_tuned_net_has_a_panel(tmp_path: Path) -> None:
    study = load_study(ROOT / "pipelines/studies/quick.yaml")
    tried = [
        dict(zip(("entry", "value", "val_top1_err", "outcome"), row, strict=True)) | {"key": "lr"} for row in TRIED
    ]
    board = files.read_json(ROOT / "results/quick/leaderboard.json") | {"tuning": tried}
    results = Results(study, board, [], {f"{entry}-{seed}": {"sha256": "0" * 64} for entry, seed in study.runs})
    drawn = error_by_rate.chart(results)
    assert drawn.panels == ("alexnet", "vgg16")
    (points,) = drawn.specs[""]["datasets"].values()
    assert [(point["value"], point["outcome"]) for point in points] == [
        ("0.001", "not chosen"),
        ("0.002", "chosen"),
        ("0.004", "not chosen"),
        ("0.001", "chosen"),
        ("0.002", "diverged"),
    ]
    assert "At the edge of the search, so that a better value may lie outside: VGG-16 at 0.001." in drawn.intro
    figures.write(tmp_path, {"tuning": drawn.figures["tuning"]})
    svg = (tmp_path / "tuning.svg").read_text()
    assert ">alexnet<" in svg
    assert ">vgg16<" in svg
    page = document.render(results, document.charts(results), "")
    assert 'id="tuning"' in page


def test_a_study_that_searched_nothing_has_no_such_chart() -> None:
    study = load_study(ROOT / "pipelines/studies/quick.yaml")
    board = files.read_json(ROOT / "results/quick/leaderboard.json") | {"tuning": []}
    assert error_by_rate.chart(Results(study, board, [], {})) is None
