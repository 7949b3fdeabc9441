"""The page of a study that trains nothing: published weights alone, whose runs have curves without a row."""

from __future__ import annotations

import json
from pathlib import Path

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard.board import CLAIM_COLUMNS
from ilsvrc_replay.page import document, figures, trained_runs
from ilsvrc_replay.page.chart import Results
from ilsvrc_replay.params import load_study
from ilsvrc_replay.run import run_name
from ilsvrc_replay.training.pretrained import HEADER

ROOT = Path(__file__).parents[2]


def test_a_study_without_training_has_a_page_without_training_curves(tmp_path: Path) -> None:
    study = load_study(ROOT / "pipelines/studies/quick.yaml")
    for entry, seed in study.runs:
        run = tmp_path / "runs" / run_name(entry, seed)
        files.write_json(run / "training.json", {"weights_sha256": "0" * 64})
        files.write_text(run / "curves.csv", HEADER)
    trained = trained_runs.read(study, tmp_path / "runs")
    assert files.as_csv(trained.curves, trained.columns) == f"run,entry,seed,{HEADER}"
    results = Results(study, files.read_json(ROOT / "results/quick/leaderboard.json"), trained.curves)
    drawn = document.charts(results)
    assert [chart.key for chart in drawn] == ["history", "steps", "cost"]
    figures.write(tmp_path / "figures", document.figures(drawn))
    assert sorted(path.name for path in (tmp_path / "figures").glob("*.svg")) == [
        "error-by-macs.svg",
        "error-by-parameters.svg",
        "history.svg",
        "steps.svg",
    ]
    built = files.read_csv(ROOT / "results/claims/built.csv")
    values = ("id", "a claim", "not seen", "1 against 2", "as published", "a source", "")
    measured = [dict(zip(CLAIM_COLUMNS, values, strict=True))]
    page = document.render(results, built + measured, trained.weights, drawn, "")
    assert '<span class="badge not-seen">not seen</span>' in page
    assert "<td>as published; a source</td>" in page
    assert "#training" not in page
    specs = page.partition('id="specs">')[2].partition("</script>")[0]
    assert "training" not in json.loads(specs)
