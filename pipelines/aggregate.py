"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import predictions, render, table, wrong_images
from ilsvrc_replay.leaderboard.build import build_board
from ilsvrc_replay.params import load_study
from ilsvrc_replay.run import load_run, run_name
from ilsvrc_replay.runtime import leftovers
from ilsvrc_replay.runtime.stage import run_stage

PREDICTIONS = Path("predictions")


def main() -> None:
    leftovers.remove()
    study = load_study()
    names = [run_name(entry, seed) for entry, seed in study.runs]
    metrics = {name: files.read_json(Path("metrics") / f"{name}.json") for name in names}
    baseline = files.read_json(Path("data/packed") / study.dataset.name / "baseline.json")
    alone = predictions.wrong_by_entry(study, PREDICTIONS)
    ensembles, together = predictions.wrong_by_ensemble(study, PREDICTIONS)
    runs = {entry: load_run(Path("resolved/train") / f"{entry}.json") for entry in study.entries}
    board = build_board(study, runs, table.rows(study, metrics, ensembles), alone)
    results = Path("results") / study.study
    render.write(results, study, runs, board, baseline)
    wrong_images.write(results / wrong_images.FILE, predictions.labels_tested(study, PREDICTIONS), alone | together)
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")


if __name__ == "__main__":
    run_stage(main)
