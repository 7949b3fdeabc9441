"""Stage prepare: the packed data set, and what any net must beat on it, to data/packed/<dataset>."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.device import on_cpu
from ilsvrc_replay.files import read_json, whole_folder, write_json
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.prepare import baseline, pack, pack_images
from ilsvrc_replay.runtime.stage import run_stage


def main() -> None:
    resolved = read_json(Path("resolved/prepare.json"))
    folder = read_json(Path("resolved/acquire.json"))["dataset"]["folder"]  # where; what lies there is verified
    dataset = Dataset.model_validate(resolved["dataset"] | {"folder": folder})
    on_cpu(resolved["threads"])
    place = Path("data/packed") / dataset.name
    with whole_folder(place) as target:
        meta = pack.pack(dataset, Path("data/raw") / dataset.name, target)
        floor = baseline.measure(packed_data.load(target))
        write_json(target / "baseline.json", floor)
    pack_images.forget(place, dataset.name)
    counts = ", ".join(f"{count:,} {split}" for split, count in meta["images"].items())
    print(f"{dataset.name}: {counts} images of {dataset.image_size} px; linear classifier {floor['linear_top1_err']} %")


if __name__ == "__main__":
    run_stage(main)
