"""From the predictions that runs saved: which images each row of a board has wrong, and the errors of ensembles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilsvrc_replay import metrics
from ilsvrc_replay.evaluation.protocols import OTHER_IMAGES, tested_on
from ilsvrc_replay.leaderboard import ensembles
from ilsvrc_replay.leaderboard.wrong_images import Key
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name

Masks = dict[Key, np.ndarray]


def wrong_by_entry(study: Study, folder: Path) -> Masks:
    """Which images each seed has wrong, by entry and protocol: masks (S, N), from `folder`/<run>.npz."""
    return {
        (entry, "single", protocol): np.stack(
            [wrong_mask(*predicted(folder, run_name(entry, seed), protocol)) for seed in study.seeds]
        )
        for entry in study.entries
        for protocol in study.protocols(entry)
    }


def wrong_by_ensemble(study: Study, folder: Path) -> tuple[dict[str, dict[str, Any]], Masks]:
    """The errors of the study's ensembles, by name and protocol, and which images they have wrong: masks (1, N)."""
    measured: dict[str, dict[str, Any]] = {}
    masks: Masks = {}
    for ensemble in ensembles.of_study(study):
        measured[ensemble.name] = {}
        for protocol in ensemble.protocols(study):
            saved = [predicted(folder, run, protocol) for run in ensemble.runs(study)]
            labels, probabilities = saved[0][1], [part for part, _ in saved]
            measured[ensemble.name][protocol] = ensembles.measure(probabilities, labels)
            masks[ensemble.name, "ensemble", protocol] = wrong_mask(ensembles.average(probabilities), labels)[None]
    return measured, masks


def labels_tested(study: Study, folder: Path) -> np.ndarray:
    """The labels (N,) of the test images or, if no run was tested on these, of the images that runs were tested on."""
    paths = [folder / f"{run_name(entry, seed)}.npz" for entry, seed in study.runs]
    names = ("labels", *(labels for _, labels in OTHER_IMAGES.values()))
    return next(arrays[name] for name in names for path in paths if name in (arrays := np.load(path)))


def predicted(folder: Path, run: str, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """The class probabilities (N, K) that a run saved under `protocol`, and the labels (N,)."""
    saved = np.load(folder / f"{run}.npz")
    labels = saved[tested_on(protocol)[1]]
    return saved[protocol], labels[: len(saved[protocol])]


def wrong_mask(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The images that `probabilities` (N, K) get wrong by top-1: a mask (N,)."""
    return metrics.wrong(torch.from_numpy(probabilities), torch.from_numpy(labels), 1).numpy()
