"""Stage aggregate: all runs' errors beside the published history, to results/<study>."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc_replay import files, scores
from ilsvrc_replay.evaluation import ensembles
from ilsvrc_replay.leaderboard import measured, render, steps, table, wrong
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.params import Study, load_study, run_name
from ilsvrc_replay.stage import run_stage
from ilsvrc_replay.tracking import Tracker


def main() -> None:
    study = load_study()
    names = [run_name(entry, seed) for entry, seed in study.runs]
    metrics = {name: files.read_json(Path("metrics") / f"{name}.json") for name in names}
    baseline = files.read_json(Path("data/packed") / study.dataset.name / "baseline.json")
    mistakes = singles(study)
    measured_ensembles, mistakes_of_ensembles = ensembles_of(study)
    board = judge(study, table.rows(study, metrics, measured_ensembles), mistakes)
    results = Path("results") / study.study
    render.write(results, study, board, baseline)
    wrong.write(results / wrong.FILE, test_labels(names), mistakes | mistakes_of_ensembles)
    print(f"{results}: {len(board.rows)} rows of {len(names)} runs")
    report(study, board.rows, metrics, results)


def singles(study: Study) -> dict[wrong.Key, np.ndarray]:
    """Which images each seed of every entry has wrong under every protocol: masks (S, N)."""
    return {
        (entry, "single", protocol): np.stack(
            [wrong_images(*predicted(run_name(entry, seed), protocol)) for seed in study.seeds]
        )
        for entry in study.entries
        for protocol in study.protocols(entry)
    }


def ensembles_of(study: Study) -> tuple[dict[str, dict[str, Any]], dict[wrong.Key, np.ndarray]]:
    """What the study's ensembles err, by name and protocol, and which images they have wrong, masks (1, N), from the
    predictions that their members saved."""
    found: dict[str, dict[str, Any]] = {}
    masks: dict[wrong.Key, np.ndarray] = {}
    for team in ensembles.teams(study):
        found[team.name] = {}
        for protocol in team.protocols(study):
            saved = [predicted(run, protocol) for run in team.runs(study)]
            labels, probabilities = saved[0][1], [part for part, _ in saved]
            found[team.name][protocol] = ensembles.measure(probabilities, labels)
            masks[team.name, "ensemble", protocol] = wrong_images(ensembles.average(probabilities), labels)[None]
    return found, masks


def judge(study: Study, rows: list[dict], mistakes: dict[wrong.Key, np.ndarray]) -> Board:
    """The board with what the predictions say, image by image, of the steps and the order of the history
    and of the claims that this study decides."""
    judged, orders = [], []
    for protocol in dict.fromkeys(name for entry in study.entries for name in study.protocols(entry)):
        tested = [entry for entry in study.entries if protocol in study.protocols(entry)]
        masks = {entry: mistakes[entry, "single", protocol] for entry in tested}
        judged += steps.steps(study, protocol, masks)
        orders += [agreement] if (agreement := steps.order(study, protocol, masks)) else []
    claims = measured.judge(study, lambda entry, protocol: mistakes[entry, "single", protocol])
    return Board(rows, judged, orders, claims)


def wrong_images(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which images (N, K) are wrong: a mask (N,)."""
    return scores.wrong(torch.from_numpy(probabilities), torch.from_numpy(labels), 1).numpy()


def test_labels(runs: list[str]) -> np.ndarray:
    """The labels of the test images (N,); none where every run was tested on training images alone."""
    saved = (np.load(Path("predictions") / f"{run}.npz") for run in runs)
    return next((arrays["labels"] for arrays in saved if "labels" in arrays), np.empty(0, np.int64))


def predicted(run: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """The class probabilities (N, K) that a run saved under `protocol`, and the labels (N,)."""
    saved = np.load(Path("predictions") / f"{run}.npz")
    labels = saved["training_labels" if protocol.startswith("training_images") else "labels"]
    return saved[protocol], labels[: len(saved[protocol])]


def report(study: Study, rows: list[dict], metrics: dict[str, dict], results: Path) -> None:
    """Complete the study in MLflow: every run's test errors and sizes, the models, and the board."""
    with Tracker(study.study) as tracker:
        weights = {name: np.load(Path("predictions") / f"{name}.npz")["weights_sha256"].item() for name in metrics}
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
