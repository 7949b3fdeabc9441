"""Stage page: the board, its figures and all training curves, to results/<study>/; and the study complete in MLflow."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import render
from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page import document, figures, trained_runs
from ilsvrc_replay.page.chart import Results
from ilsvrc_replay.params import Study, load_study
from ilsvrc_replay.run import run_name
from ilsvrc_replay.runtime.stage import run_stage
from ilsvrc_replay.runtime.tracking import Tracker


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
    script = Path("data/viewer/vega.js").read_text()
    files.write_text(results / "index.html", document.render(found, claims, trained.weights, drawn, script))
    print(f"{results}/index.html: open it in any browser")
    report(study, board["rows"], trained.weights, results)


def report(study: Study, rows: list[Row], weights: dict[str, str], results: Path) -> None:
    """Complete the study in MLflow: every run's test errors, the models, and the board with its page."""
    with Tracker(study.study) as tracker:
        for name, checksum in weights.items():
            measured = files.read_json(Path("metrics") / f"{name}.json")
            errors = {
                f"test/{protocol}/{key}": values[key]
                for protocol, values in measured.items()
                if isinstance(values, dict)
                for key in ("top1_err", "top5_err")
            }
            tracker.log_test(name, checksum, errors)
        for entry in study.entries:
            runs = [run_name(entry, seed) for seed in study.seeds]
            tracker.register(entry, {run: weights[run] for run in runs})
        board = {f"{row['entry']}/{row['protocol']}/top1_err": row["top1_err"] for row in rows}
        tracker.end_study(board, results, render.narrow(study, rows), weights)


if __name__ == "__main__":
    run_stage(main)
