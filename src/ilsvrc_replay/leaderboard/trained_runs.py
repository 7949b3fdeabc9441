"""What the runs of a study left: their training curves in one table, and the checksums of their weights."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import CURVE, CURVE_COLUMNS, RECORD, run_name

CURVES, WEIGHTS = "curves.csv", "weights.csv"
COLUMNS = ("run", "entry", "seed", *CURVE_COLUMNS)
WEIGHT_COLUMNS = ("run", "sha256", "processor")


class TrainedRuns(NamedTuple):
    """`curves`: rows (of COLUMNS) for the validations of each run; none for published weights. `weights`: a row (of
    WEIGHT_COLUMNS) for each run."""

    curves: list[Row]
    weights: list[Row]

    def curves_of(self, entry: str) -> list[list[Row]]:
        """The curve of each of an entry's seeds."""
        rows = [row for row in self.curves if row["entry"] == entry]
        return [list(curve) for _, curve in groupby(rows, key=lambda row: row["seed"])]


def read(study: Study, folder: Path) -> TrainedRuns:
    """Read the runs of `study`, one folder each in `folder`. Raises StudyError that names a run which is missing."""
    rows, weights = [], []
    for entry, seed in study.runs:
        run = run_name(entry, seed)
        try:
            record, lines = files.read_json(folder / run / RECORD), files.read_csv(folder / run / CURVE)
        except FileNotFoundError as error:
            raise StudyError(f"{error.filename} is missing: run `dvc repro train@{run}`") from None
        weights.append({"run": run, "sha256": record["weights_sha256"], "processor": record.get("processor", "")})
        for line in lines:
            numbers = {key: float(value) if value else None for key, value in line.items()}
            rows.append({"run": run, "entry": entry, "seed": seed, **numbers, "step": int(line["step"])})
    return TrainedRuns(rows, weights)


def write(results: Path, trained: TrainedRuns) -> None:
    """Write the curves to curves.csv, and to weights.csv the sha256 of each run's weights and what trained it."""
    files.write_text(results / CURVES, files.as_csv(trained.curves, COLUMNS))
    files.write_text(results / WEIGHTS, files.as_csv(trained.weights, WEIGHT_COLUMNS))
