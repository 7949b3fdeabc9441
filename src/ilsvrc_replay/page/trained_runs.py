"""The training curves of all runs of a study in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name


class Trained(NamedTuple):
    """`rows`: run, entry, seed and the columns of curves.csv as numbers; `weights`: the sha256 of each run's."""

    rows: list[dict[str, Any]]
    weights: dict[str, str]


def read(study: Study, folder: Path) -> Trained:
    """Read the runs of `study`, one folder each in `folder`. Raises StudyError that names a run which is missing."""
    rows, weights = [], {}
    for entry, seed in study.runs:
        run = run_name(entry, seed)
        try:
            weights[run] = files.read_json(folder / run / "training.json")["weights_sha256"]
            curve = files.read_csv(folder / run / "curves.csv")
        except FileNotFoundError as error:
            raise StudyError(f"{error.filename} is missing: run `dvc repro train@{run}`") from None
        for line in curve:
            numbers = {key: float(value) if value else None for key, value in line.items()}
            rows.append({"run": run, "entry": entry, "seed": seed, **numbers, "step": int(line["step"])})
    return Trained(rows, weights)
