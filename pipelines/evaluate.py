"""Stage evaluate: one run's predictions on the test set, to predictions/<run>.npz and metrics/<run>.json."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.device import enough_memory
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.evaluation.image_files import open_originals
from ilsvrc_replay.originals.labelled_images import LabelledFiles
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.run import load_run, run_name
from ilsvrc_replay.runtime.stage import chosen_run, run_stage


def main() -> None:
    entry, seed = chosen_run(__doc__)
    run, name = load_run(Path("resolved/evaluate") / f"{entry}.json"), run_name(entry, seed)
    dataset = Dataset.model_validate(files.read_json(Path("resolved/acquire.json"))["dataset"])
    packed = packed_data.load(Path("data/packed") / dataset.name).redrawn(seed)
    predictions = Path("predictions") / f"{name}.npz"

    def originals() -> LabelledFiles:
        return open_originals(dataset, Path("data/raw") / dataset.name)

    with enough_memory(f"evaluation.batch_size, which is {run.testing.batch_size}"):
        measured = evaluate(run, packed, Path("runs") / name, predictions, originals)
    files.write_json(Path("metrics") / f"{name}.json", measured)
    for protocol in run.testing.protocols:
        found = measured[protocol]
        print(f"{name}  {protocol}: top-1 error {found['top1_err']:.2f} % on {found['images']:,} images")


if __name__ == "__main__":
    run_stage(main)
