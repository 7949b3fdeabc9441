"""Stage train: one run, an entry with a seed, to runs/<run>. Several processes may do it together."""

from pathlib import Path

import beside  # noqa: F401

from ilsvrc_replay.files import read_json
from ilsvrc_replay.input.world import ALONE
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.run import load_run, run_name
from ilsvrc_replay.runtime import checkpoint
from ilsvrc_replay.runtime.live import shown
from ilsvrc_replay.runtime.progress import Progress
from ilsvrc_replay.runtime.stage import chosen_run, fingerprint, run_stage
from ilsvrc_replay.training import fit, outputs, pretrained, processes


def main() -> None:
    entry, seed = chosen_run(__doc__)
    run, name = load_run(Path("tuning") / entry / "run.json"), run_name(entry, seed)
    packed = packed_data.load(Path("data/packed") / read_json(Path("resolved/prepare.json"))["dataset"]["name"])
    packed = packed.redrawn(seed)
    world = ALONE if run.weights else processes.join(run.compute)
    if run.weights:
        weights, record = pretrained.set_up(run, seed, packed)
        summary = f"{record['param_count']:,} parameters from {record['source']['file']}"
    else:
        job = fit.set_up(run, seed, packed, world)
        record, summary = job.record, job.summary
    mark = fingerprint(record)
    if world.rank:
        with processes.together(world):
            follow = checkpoint.following(name, mark, run.compute.engine)
            with follow.listening():
                fit.run(job, [follow], follow.load())
        return

    print(f"{name}  {summary}", flush=True)
    with checkpoint.claimed(name, mark, run.compute.engine) as kept, shown(name, record, kept.key) as live:
        if run.weights:
            record = pretrained.write(Path("runs") / name, weights, record)
        else:
            with processes.together(world), kept.listening():
                net = fit.run(job, [Progress(name), live, kept], kept.load())
            record = outputs.write(Path("runs") / name, net, job.module.curve, record)
        live.tell(record=record)


if __name__ == "__main__":
    run_stage(main)
