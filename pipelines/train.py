"""Stage train: one run, an entry with a seed, to runs/<run>."""

from pathlib import Path

from ilsvrc_replay.checking import check
from ilsvrc_replay.data import packing
from ilsvrc_replay.params import load_study, run_name
from ilsvrc_replay.stage import chosen_run, run_stage
from ilsvrc_replay.tracking import Tracker
from ilsvrc_replay.training import fit, outputs, published, resume
from ilsvrc_replay.training.progress import Progress
from ilsvrc_replay.training.reporting import Reporter


def main() -> None:
    entry, seed = chosen_run(__doc__)
    study = load_study()
    check(study)
    name = run_name(entry, seed)
    folder = Path("data/packed") / study.dataset.name
    packed = packing.load(folder)
    if study.entry(entry).recipe == "pretrained":
        weights, record = published.set_up(study, entry, seed, packed)
        print(f"{name}  {record['param_count']:,} parameters from {record['source']['file']}", flush=True)
    else:
        job = fit.set_up(study, entry, seed, packed)
        record = job.record
        print(f"{name}  {job.summary}", flush=True)

    mark = resume.fingerprint({**record, "compute": study.compute.model_dump()}, study.entry(entry).family)
    with (
        resume.claimed(name, mark) as keeper,
        Tracker(study.study) as tracker,
        tracker.run(name, record, keeper.key),
    ):
        tracker.log_data(packed.meta["name"], packed.digest, str(folder))
        if study.entry(entry).recipe == "pretrained":
            record = published.write(Path("runs") / name, weights, record)
        else:
            net = fit.run(job, [Progress(name), Reporter(tracker)], keeper)
            record = outputs.write(Path("runs") / name, net, job.module.curve, record)
        tracker.tag({"weights": f"runs/{name}/{outputs.WEIGHTS}", "weights_sha256": record["weights_sha256"]})


if __name__ == "__main__":
    run_stage(main)
