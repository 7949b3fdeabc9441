"""What the runs of a study left: their training curves in one table, and the checksums of their weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import run_name

CURVES, WEIGHTS = "curves.csv", "weights.csv"
NO_CURVES = ("run", "entry", "seed", "step", "epoch")  # of published weights
WEIGHT_COLUMNS = ("run", "sha256", "processor")


class TrainedRuns(NamedTuple):
    """`curves`: rows of `columns`, which are run, entry, seed and the numbers of the runs' curves.csv; none
    for published weights. `weights`: a row (of WEIGHT_COLUMNS) for each run."""

    columns: tuple[str, ...]
    curves: list[Row]
    weights: list[Row]


def read(study: Study, folder: Path) -> TrainedRuns:
    """Read the runs of `study`, one folder each in `folder`. Raises StudyError that names a run which is missing."""
    names, rows, weights = [], [], []
    for entry, seed in study.runs:
        run = run_name(entry, seed)
        try:
            record = files.read_json(folder / run / "training.json")
            with (folder / run / "curves.csv").open(newline="", encoding="utf-8") as file:
                table = csv.DictReader(file)
                names, lines = table.fieldnames, list(table)
        except FileNotFoundError as error:
            raise StudyError(f"{error.filename} is missing: run `dvc repro train@{run}`") from None
        weights.append({"run": run, "sha256": record["weights_sha256"], "processor": record.get("processor", "")})
        for line in lines:
            numbers = {key: float(value) if value else None for key, value in line.items()}
            rows.append({"run": run, "entry": entry, "seed": seed, **numbers, "step": int(line["step"])})
    return TrainedRuns(("run", "entry", "seed", *names), rows, weights)


def write(results: Path, trained: TrainedRuns) -> None:
    """Write the curves to curves.csv, and to weights.csv the sha256 of each run's weights and what trained it."""
    files.write_text(results / CURVES, files.as_csv(trained.curves, trained.columns))
    files.write_text(results / WEIGHTS, files.as_csv(trained.weights, WEIGHT_COLUMNS))
