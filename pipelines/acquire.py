"""Stage acquire: the data set's original files, verified, to data/raw/<dataset>."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.files import read_json, whole_folder
from ilsvrc_replay.runtime.stage import run_stage


def main() -> None:
    dataset = Dataset.model_validate(read_json(Path("resolved/acquire.json"))["dataset"])
    with whole_folder(Path("data/raw") / dataset.name) as target:
        source = dataset.acquire(target)
    print(f"{dataset.name}: original files from {source}, with checksums")


if __name__ == "__main__":
    run_stage(main)
