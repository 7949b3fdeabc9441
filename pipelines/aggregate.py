"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc_replay import files, scores
from ilsvrc_replay.evaluation import ensembles
from ilsvrc_replay.leaderboard import measured, render, steps, table
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.params import Study, load_study, run_name
from ilsvrc_replay.stage import run_stage
from ilsvrc_replay.tracking import Tracker


def main() -> None:
    study = load_study()
    names = [run_name(entry, seed) for entry, seed in study.runs]
    metrics = {name: files.read_json(Path("metrics") / f"{name}.json") for name in names}
    baseline = files.read_json(Path("data/packed") / study.dataset.name / "baseline.json")
    board = judge(study, table.rows(study, metrics, ensembles_of(study)))
    results = Path("results") / study.study
    render.write(results, study, board, baseline)
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")
    report(study.study, board.rows, metrics, results)


def ensembles_of(study: Study) -> dict[str, dict[str, Any]]:
    """What the study's ensembles err, by name and protocol, from the predictions that their members saved."""
    found: dict[str, dict[str, Any]] = {}
    for team in ensembles.teams(study):
        found[team.name] = {}
        for protocol in team.protocols(study):
            saved = [predicted(run, protocol) for run in team.runs(study)]
            found[team.name][protocol] = ensembles.measure([part for part, _ in saved], saved[0][1])
    return found


def judge(study: Study, rows: list[dict]) -> Board:
    """The board with what the predictions say, image by image, of the steps and the order of the history
    and of the claims that this study decides."""
    judged, orders = [], []
    for protocol in dict.fromkeys(name for entry in study.entries for name in study.protocols(entry)):
        tested = [entry for entry in study.entries if protocol in study.protocols(entry)]
        wrong = {entry: wrong_images(study, entry, protocol) for entry in tested}
        judged += steps.steps(study, protocol, wrong)
        orders += [agreement] if (agreement := steps.order(study, protocol, wrong)) else []
    return Board(rows, judged, orders, measured.judge(study, partial(wrong_images, study)))


def wrong_images(study: Study, entry: str, protocol: str) -> np.ndarray:
    """Which images each seed of an entry has wrong: masks (S, N)."""
    masks = []
    for seed in study.seeds:
        probabilities, labels = predicted(run_name(entry, seed), protocol)
        masks.append(scores.wrong(torch.from_numpy(probabilities), torch.from_numpy(labels), 1).numpy())
    return np.stack(masks)


def predicted(run: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """The class probabilities (N, K) that a run saved under `protocol`, and the labels (N,)."""
    saved = np.load(Path("predictions") / f"{run}.npz")
    labels = saved["training_labels" if protocol.startswith("training_images") else "labels"]
    return saved[protocol], labels[: len(saved[protocol])]


def report(study: str, rows: list[dict], metrics: dict[str, dict], results: Path) -> None:
    """Complete the study in MLflow: every run's test errors, and the board."""
    with Tracker(study) as tracker:
        for name, errors_of in metrics.items():
            errors = {
                f"test/{protocol}/{key}": values[key]
                for protocol, values in errors_of.items()
                if isinstance(values, dict)
                for key in ("top1_err", "top5_err")
            }
            weights = np.load(Path("predictions") / f"{name}.npz")["weights_sha256"].item()
            tracker.log_test(name, weights, errors)
        board = {f"{row['entry']}/{row['protocol']}/top1_err": row["top1_err"] for row in rows}
        tracker.end_study(board, results, (results / "leaderboard.md").read_text())


if __name__ == "__main__":
    run_stage(main)
