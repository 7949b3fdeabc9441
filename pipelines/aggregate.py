"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from pathlib import Path

import numpy as np

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import mistakes, render, table, wrong
from ilsvrc_replay.leaderboard.judging import judge
from ilsvrc_replay.params import Study, load_study, run_name
from ilsvrc_replay.stage import run_stage
from ilsvrc_replay.tracking import Tracker

PREDICTIONS = Path("predictions")


def main() -> None:
    study = load_study()
    names = [run_name(entry, seed) for entry, seed in study.runs]
    metrics = {name: files.read_json(Path("metrics") / f"{name}.json") for name in names}
    baseline = files.read_json(Path("data/packed") / study.dataset.name / "baseline.json")
    alone = mistakes.of_entries(study, PREDICTIONS)
    ensembles, together = mistakes.of_ensembles(study, PREDICTIONS)
    board = judge(study, table.rows(study, metrics, ensembles), alone)
    results = Path("results") / study.study
    render.write(results, study, board, baseline)
    wrong.write(results / wrong.FILE, mistakes.test_labels(study, PREDICTIONS), alone | together)
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")
    report(study, board.rows, metrics, results)


def report(study: Study, rows: list[dict], metrics: dict[str, dict], results: Path) -> None:
    """Complete the study in MLflow: every run's test errors and sizes, the models, and the board."""
    with Tracker(study.study) as tracker:
        weights = {name: np.load(PREDICTIONS / f"{name}.npz")["weights_sha256"].item() for name in metrics}
        for name, measured_of in metrics.items():
            errors = {
                f"test/{protocol}/{key}": values[key]
                for protocol, values in measured_of.items()
                if isinstance(values, dict)
                for key in ("top1_err", "top5_err")
            }
            sizes = {key: measured_of[key] for key in ("param_count", "gmacs")}
            tracker.log_test(name, weights[name], errors | sizes)
        for entry in study.entries:
            runs = [run_name(entry, seed) for seed in study.seeds]
            tracker.register(entry, {run: weights[run] for run in runs})
        board = {f"{row['entry']}/{row['protocol']}/top1_err": row["top1_err"] for row in rows}
        tracker.end_study(board, results, (results / "leaderboard.md").read_text())


if __name__ == "__main__":
    run_stage(main)
