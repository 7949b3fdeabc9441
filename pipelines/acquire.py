"""Stage acquire: the data set's original files, verified, to data/raw/<dataset>."""

from pathlib import Path

from ilsvrc_replay.data.datasets import DATASETS
from ilsvrc_replay.files import whole_folder
from ilsvrc_replay.params import load_study
from ilsvrc_replay.stage import run_stage


def main() -> None:
    dataset = load_study().dataset
    folder = Path(dataset.folder) if dataset.folder else None
    with whole_folder(Path("data/raw") / dataset.name) as target:
        source = DATASETS[dataset.name].acquire(target, folder)
    print(f"{dataset.name}: original files from {source}, checksums verified")


if __name__ == "__main__":
    run_stage(main)
