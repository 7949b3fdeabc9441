"""Stage prepare: the packed data set, and what any net must beat on it, to data/packed/<dataset>."""

from pathlib import Path

from ilsvrc_replay.stage import run_stage
from ilsvrc_replay.data import baseline, datasets, packing, picture_packing
from ilsvrc_replay.devices import choose_device
from ilsvrc_replay.files import whole_folder, write_json
from ilsvrc_replay.params import load_study


def main() -> None:
    study = load_study()
    choose_device(study.compute)
    dataset = study.dataset
    place = Path("data/packed") / dataset.name
    with whole_folder(place) as target:
        meta = datasets.pack(dataset, Path("data/raw") / dataset.name, target)
        floor = baseline.measure(packing.load(target))
        write_json(target / "baseline.json", floor)
    picture_packing.forget(place, dataset.name)
    counts = ", ".join(f"{count:,} {split}" for split, count in meta["images"].items())
    print(f"{dataset.name}: {counts} images of {dataset.image_size} px; linear classifier {floor['linear_top1_err']} %")


if __name__ == "__main__":
    run_stage(main)
