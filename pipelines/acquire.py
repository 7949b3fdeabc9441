"""Stage acquire: the data set's original files, verified, to data/raw/<dataset>."""

from pathlib import Path

from ilsvrc_replay.stage import run_stage
from ilsvrc_replay.data import datasets
from ilsvrc_replay.files import whole_folder
from ilsvrc_replay.params import load_study


def main() -> None:
    dataset = load_study().dataset
    with whole_folder(Path("data/raw") / dataset.name) as target:
        source = datasets.acquire(dataset, target)
    print(f"{dataset.name}: original files from {source}, with checksums")


if __name__ == "__main__":
    run_stage(main)
