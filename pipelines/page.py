"""Stage page: the board, its figures and all training curves, to results/<study>/."""

from pathlib import Path

from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import curves, figures, page
from ilsvrc_replay.params import load_study
from ilsvrc_replay.stage import run_stage


def main() -> None:
    study = load_study()
    results = Path("results") / study.study
    board = files.read_json(results / "leaderboard.json")
    claims = files.read_csv(Path("results/claims/built.csv")) + files.read_csv(results / "measured.csv")
    trained = curves.read(study, Path("runs"))
    files.write_text(results / "curves.csv", files.as_csv(trained.rows))
    drawn = page.charts(study, board, trained.rows)
    with files.whole_folder(results / "figures") as folder:
        figures.write(folder, page.printed(drawn, list(study.entries)))
    script = Path("data/viewer/vega.js").read_text()
    files.write_text(results / "index.html", page.render(study, board, claims, trained.weights, drawn, script))
    print(f"{results}/index.html: open it in any browser")


if __name__ == "__main__":
    run_stage(main)
