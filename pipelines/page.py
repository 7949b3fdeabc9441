"""Stage page: the board, its figures and all training curves, to results/<study>/; and the study complete in MLflow."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import render
from ilsvrc_replay.page import document, figures, trained_runs
from ilsvrc_replay.page.chart import Results
from ilsvrc_replay.params import load_study
from ilsvrc_replay.runtime import tracking
from ilsvrc_replay.runtime.stage import run_stage


def main() -> None:
    study = load_study()
    results = Path("results") / study.study
    board = files.read_json(results / "leaderboard.json")
    claims = files.read_csv(Path("results/claims/built.csv")) + files.read_csv(results / "measured.csv")
    trained = trained_runs.read(study, Path("runs"))
    files.write_text(results / "curves.csv", files.as_csv(trained.curves, trained.columns))
    found = Results(study, board, trained.curves)
    drawn = document.charts(found)
    with files.whole_folder(results / "figures") as folder:
        figures.write(folder, document.figures(drawn))
    script = Path("data/viewer/vega.js").read_text(encoding="utf-8")
    files.write_text(results / "index.html", document.render(found, claims, trained.weights, drawn, script))
    print(f"{results}/index.html: open it in any browser")
    errors = {f"{row['entry']}/{row['protocol']}/top1_err": row["top1_err"] for row in board["rows"]}
    tracking.close_study(trained.weights, errors, results, render.narrow(study, board["rows"]))


if __name__ == "__main__":
    run_stage(main)
