"""Stage viewer: the script that draws charts in a browser without a network."""

from pathlib import Path

from ilsvrc_replay.stage import run_stage
from ilsvrc_replay import files
from ilsvrc_replay.leaderboard import viewer


def main() -> None:
    with files.whole_folder(Path("data/viewer")) as folder:
        viewer.write(folder)


if __name__ == "__main__":
    run_stage(main)
