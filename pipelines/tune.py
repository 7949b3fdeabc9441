"""Stage tune: an entry's run with the value that it searches, chosen on validation images, to tuning/<entry>/."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import beside  # noqa: F401

from ilsvrc_replay import files, search
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.run import Run, load_run
from ilsvrc_replay.runtime.stage import chosen_entry, fingerprint, run_stage

if TYPE_CHECKING:
    from ilsvrc_replay.input.world import World
    from ilsvrc_replay.packed.packed_data import Packed
    from ilsvrc_replay.runtime.checkpoint import Checkpoint


def main() -> None:
    entry = chosen_entry(__doc__)
    run = load_run(Path("resolved/tune") / f"{entry}.json")
    if run.search:
        searched(run)
    else:
        write(run, [])


def searched(run: Run) -> None:
    """Train with every value and write what came of it. What is finished is kept in .scratch until all is, so that a
    search that was killed goes on where it was."""
    from ilsvrc_replay.device import choose_device, processor
    from ilsvrc_replay.packed import packed_data
    from ilsvrc_replay.runtime import checkpoint
    from ilsvrc_replay.training import processes

    packed = packed_data.load(Path("data/packed") / files.read_json(Path("resolved/prepare.json"))["dataset"]["name"])
    packed = packed.redrawn(run.search.seed)
    world = processes.join(run.compute)
    kind = processor(choose_device(run.compute))
    name, mark = f"{run.entry}.tune", fingerprint(run.model_dump(), packed.meta["sha256"], kind)
    if world.rank:
        with processes.together(world):
            trials(run, packed, world, checkpoint.following(name, mark, run.compute.engine))
        return
    with checkpoint.claimed(name, mark, run.compute.engine) as kept:
        with processes.together(world):
            rows = search.choose(trials(run, packed, world, kept))
        key, values = run.search.key, run.search.values
        if rows is None:
            raise StudyError(f"entries.{run.entry}.{key}: every value of the search diverged: search lower ones")
        best = search.chosen(rows)
        if best["outcome"] == search.AT_EDGE:
            outside = "higher" if best["value"] == max(values) else "lower"
            print(
                f"warning: entries.{run.entry}.{key}: the best value, {best['value']}, lies at the edge of the search:"
                f" {outside} ones may be better",
                file=sys.stderr,
            )
        print(f"{run.entry}  {key} {best['value']} of {values}: val error {best['val_top1_err']:.2f} %")
        write(run.with_recipe(**{key: best["value"]}), rows)


def trials(run: Run, packed: Packed, world: World, kept: Checkpoint) -> list[search.Row]:
    """A row for every value: one that an earlier process left beside `kept`, or that of a training, which has a state
    of its own meanwhile."""
    from ilsvrc_replay.runtime.progress import Progress
    from ilsvrc_replay.training import fit

    rows = []
    for value in run.search.values:
        left = kept.path.with_name(f"{value}.json")
        if left.exists():
            rows.append(files.read_json(left))
            continue
        title, state = f"{run.entry} {run.search.key} {value}", type(kept)(left.with_suffix(""))
        job = fit.set_up(search.trial(run, value), run.search.seed, packed, world)
        try:
            with state.listening():
                fit.run(job, [state] if world.rank else [Progress(title), state], state.load())
        except StudyError:
            if not search.diverged(job.module.curve):
                raise
        rows.append(search.row(run, value, job.module.curve))
        if not world.rank:
            files.write_json(left, rows[-1])
            shutil.rmtree(left.with_suffix(""), ignore_errors=True)
    return rows


def write(run: Run, rows: list[search.Row]) -> None:
    folder = Path("tuning") / run.entry
    files.write_text(folder / "search.csv", files.as_csv(rows, search.COLUMNS))
    files.write_json(folder / "run.json", run.model_dump())


if __name__ == "__main__":
    run_stage(main)
