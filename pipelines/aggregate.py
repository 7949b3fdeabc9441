"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import predictions, render, table, trained_runs, tunings, wrong_images
from ilsvrc_replay.leaderboard.build import build_board
from ilsvrc_replay.leaderboard.judged_claims import Findings
from ilsvrc_replay.leaderboard.wrong_images import WrongImages
from ilsvrc_replay.params import load_study
from ilsvrc_replay.run import load_run, run_name
from ilsvrc_replay.runtime import leftovers
from ilsvrc_replay.runtime.stage import run_stage

PREDICTIONS, RUNS, TUNING = Path("predictions"), Path("runs"), Path("tuning")


def main() -> None:
    leftovers.remove()
    study = load_study()
    names = [run_name(entry, seed) for entry, seed in study.runs]
    metrics = {name: files.read_json(Path("metrics") / f"{name}.json") for name in names}
    baseline = files.read_json(Path("data/packed") / study.dataset.name / "baseline.json")
    alone = predictions.wrong_by_entry(study, PREDICTIONS)
    ensembles, together = predictions.wrong_by_ensemble(study, PREDICTIONS)
    runs = {entry: load_run(TUNING / entry / "run.json") for entry in study.entries}
    trained = trained_runs.read(study, RUNS)
    findings = Findings(alone, baseline, trained.curves_of)
    board = build_board(study, runs, table.rows(study, metrics, ensembles), findings)
    board = board._replace(tuning=tunings.read(study, TUNING))
    results = Path("results") / study.study
    render.write(results, study, runs, board, baseline)
    trained_runs.write(results, trained)
    labels = wrong_images.checksum(predictions.labels_tested(study, PREDICTIONS))
    wrong_images.write(results / wrong_images.FILE, WrongImages(labels, alone | together))
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")


if __name__ == "__main__":
    run_stage(main)
