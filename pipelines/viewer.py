"""Stage viewer: the script that draws charts in a browser without a network."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.page import viewer
from ilsvrc_replay.runtime.stage import run_stage


def main() -> None:
    with files.whole_folder(Path("data/viewer")) as folder:
        viewer.write(folder)


if __name__ == "__main__":
    run_stage(main)
