"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from pathlib import Path

from ilsvrc_replay.stage import run_stage
from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import mistakes, render, table, wrong
from ilsvrc_replay.leaderboard.judging import judge
from ilsvrc_replay.params import load_study, run_name

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
    wrong.write(results / wrong.FILE, mistakes.labels_tested(study, PREDICTIONS), alone | together)
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")


if __name__ == "__main__":
    run_stage(main)
