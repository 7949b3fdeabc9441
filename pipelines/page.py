"""Stage page: the board to look at, its figures and all training curves; and the study complete in MLflow."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay.leaderboard import render
from ilsvrc_replay.page import make
from ilsvrc_replay.page.results import read
from ilsvrc_replay.params import load_study
from ilsvrc_replay.run import run_name
from ilsvrc_replay.runtime import tracking
from ilsvrc_replay.runtime.stage import run_stage


def main() -> None:
    study = load_study()
    results = Path("results") / study.study
    found = read(results)
    make.page(results, found, Path("data/viewer/vega.js").read_text(encoding="utf-8"))
    print(f"{results}/{make.PAGE}: open it in any browser")
    errors = {f"{row['entry']}/{row['protocol']}/top1_err": row["top1_err"] for row in found.rows}
    runs = [run_name(entry, seed) for entry, seed in study.runs]
    tracking.close_study(runs, errors, results, render.narrow(study, found.board))


if __name__ == "__main__":
    run_stage(main)
