"""Results folders as aggregate writes them, of nets whose mistakes a test chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ilsvrc_replay.leaderboard import wrong_images
from ilsvrc_replay.leaderboard.board import PARAMS_FILE
from ilsvrc_replay.leaderboard.wrong_images import WrongImages
from ilsvrc_replay.statistics.intervals import error_with_interval

LABELS = np.arange(1000) % 10
BASELINE = {"chance_top1_err": 90.0, "linear_top1_err": 15.0}


def mask(first: int, last: int, seeds: int = 1) -> np.ndarray:
    """Seeds that have the images from `first` to before `last` wrong: (S, 1000)."""
    images = np.arange(len(LABELS))
    return np.repeat(((images >= first) & (images < last))[None], seeds, axis=0)


def params(**entries: dict[str, Any]) -> dict[str, Any]:
    return {"study": "test", "dataset": {"name": "digits"}, "entries": entries}


def write(
    folder: Path, masks: dict[str, np.ndarray], made_with: dict[str, Any] | None = None, labels: np.ndarray = LABELS
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, runs in masks.items():
        error, low, high = error_with_interval([100 * float(run.mean()) for run in runs], len(labels))
        row = {
            "entry": name,
            "kind": "single",
            "protocol": "single_crop",
            "dataset": "digits",
            "images": len(labels),
            "seeds": len(runs),
            "year": None,
            "recipe": "modern",
            "headline_top5_err": None,
        }
        rows.append(row | {"top1_err": error, "top1_err_low": low, "top1_err_high": high})
    (folder / "leaderboard.json").write_text(json.dumps({"study": "test", "baseline": BASELINE, "rows": rows}))
    (folder / PARAMS_FILE).write_text(json.dumps(made_with or params()))
    keyed = {(name, "single", "single_crop"): runs for name, runs in masks.items()}
    wrong_images.write(folder / wrong_images.FILE, WrongImages(wrong_images.checksum(labels), keyed))
