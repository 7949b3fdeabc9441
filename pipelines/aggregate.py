"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from pathlib import Path

import numpy as np
import torch

from ilsvrc_replay import files, scores
from ilsvrc_replay.leaderboard import render, steps, table, wrong
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.params import Study, load_study, run_name
from ilsvrc_replay.stage import run_stage
from ilsvrc_replay.tracking import Tracker


def main() -> None:
    study = load_study()
    names = [run_name(entry, seed) for entry, seed in study.runs]
    metrics = {name: files.read_json(Path("metrics") / f"{name}.json") for name in names}
    baseline = files.read_json(Path("data/packed") / study.dataset.name / "baseline.json")
    mistakes = {
        (entry, protocol): np.stack([wrong_images(run_name(entry, seed), protocol) for seed in study.seeds])
        for protocol in study.evaluation.protocols
        for entry in study.entries
    }
    board = judge(study, table.rows(study, metrics), mistakes)
    results = Path("results") / study.study
    render.write(results, study, board, baseline)
    wrong.write(results / wrong.FILE, np.load(Path("predictions") / f"{names[0]}.npz")["labels"], mistakes)
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")
    report(study.study, board.rows, metrics, results)


def judge(study: Study, rows: list[dict], mistakes: dict[wrong.Key, np.ndarray]) -> Board:
    """The board with what the predictions say, image by image, of the steps and the order of the history."""
    judged, orders = [], []
    for protocol in study.evaluation.protocols:
        masks = {entry: mistakes[entry, protocol] for entry in study.entries}
        judged += steps.steps(study, protocol, masks)
        orders += [agreement] if (agreement := steps.order(study, protocol, masks)) else []
    return Board(rows, judged, orders)


def wrong_images(run: str, protocol: str) -> np.ndarray:
    """Which test images a run has wrong: a mask (N,)."""
    saved = np.load(Path("predictions") / f"{run}.npz")
    return scores.wrong(torch.from_numpy(saved[protocol]), torch.from_numpy(saved["labels"]), 1).numpy()


def report(study: str, rows: list[dict], metrics: dict[str, dict], results: Path) -> None:
    """Complete the study in MLflow: every run's test errors, and the board."""
    tracker = Tracker(study)
    for name, measured in metrics.items():
        errors = {
            f"test/{protocol}/{key}": value
            for protocol, values in measured.items()
            if isinstance(values, dict)
            for key, value in values.items()
        }
        weights = np.load(Path("predictions") / f"{name}.npz")["weights_sha256"].item()
        tracker.log_test(name, weights, errors)
    board = {f"{row['entry']}/{row['protocol']}/top1_err": row["top1_err"] for row in rows}
    tracker.end_study(board, results, (results / "leaderboard.md").read_text())


if __name__ == "__main__":
    run_stage(main)
