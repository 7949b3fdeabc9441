"""Stage train: one run, an entry with a seed, to runs/<run>. Several processes may do it together."""

from pathlib import Path

from ilsvrc_replay.stage import chosen_run, run_stage
from ilsvrc_replay.checking import check
from ilsvrc_replay.data import packing
from ilsvrc_replay.data.parts import WHOLE
from ilsvrc_replay.params import load_study, run_name
from ilsvrc_replay.tracking import Tracker
from ilsvrc_replay.training import fit, outputs, processes, published, resume
from ilsvrc_replay.training.progress import Progress
from ilsvrc_replay.training.reporting import Reporter


def main() -> None:
    entry, seed = chosen_run(__doc__)
    study = load_study()
    check(study)
    name = run_name(entry, seed)
    folder = Path("data/packed") / study.dataset.name
    packed = packing.load(folder)
    pretrained = study.entry(entry).recipe == "pretrained"
    part = WHOLE if pretrained else processes.join(study.compute)
    if pretrained:
        weights, record = published.set_up(study, entry, seed, packed)
        summary = f"{record['param_count']:,} parameters from {record['source']['file']}"
    else:
        job = fit.set_up(study, entry, seed, packed, part)
        record, summary = job.record, job.summary
    mark = resume.fingerprint({**record, "compute": study.compute.model_dump()}, study.entry(entry).family)
    if part.rank:
        with processes.together(part):
            fit.run(job, keeper=resume.following(name, mark))
        return

    print(f"{name}  {summary}", flush=True)
    with (
        resume.claimed(name, mark) as keeper,
        Tracker(study.study) as tracker,
        tracker.run(name, record, keeper.key),
    ):
        tracker.log_data(packed.meta["name"], packed.digest, str(folder))
        if pretrained:
            record = published.write(Path("runs") / name, weights, record)
        else:
            with processes.together(part):
                net = fit.run(job, [Progress(name), Reporter(tracker)], keeper)
            record = outputs.write(Path("runs") / name, net, job.learner.curve, record)
        tracker.tag({"weights": f"runs/{name}/{outputs.WEIGHTS}", "weights_sha256": record["weights_sha256"]})


if __name__ == "__main__":
    run_stage(main)
