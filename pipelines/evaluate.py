"""Stage evaluate: one run's predictions on the test set, to predictions/<run>.npz and metrics/<run>.json."""

from pathlib import Path

from ilsvrc_replay.stage import chosen_run, run_stage
from ilsvrc_replay import files
from ilsvrc_replay.data import packing
from ilsvrc_replay.devices import enough_memory
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.params import load_study, run_name


def main() -> None:
    entry, seed = chosen_run(__doc__)
    study = load_study()
    name = run_name(entry, seed)
    packed = packing.load(Path("data/packed") / study.dataset.name)
    raw = Path("data/raw") / study.dataset.name
    with enough_memory(f"evaluation.batch_size, which is {study.evaluation.batch_size}"):
        metrics = evaluate(study, entry, packed, Path("runs") / name, Path("predictions") / f"{name}.npz", raw)
    files.write_json(Path("metrics") / f"{name}.json", metrics)
    for protocol in study.protocols(entry):
        measured = metrics[protocol]
        print(f"{name}  {protocol}: top-1 error {measured['top1_err']:.2f} % on {measured['images']:,} images")


if __name__ == "__main__":
    run_stage(main)
