"""What `replay plan` measured, and kept for `replay run` to foretell its time without measuring again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ilsvrc_replay import files
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.runtime.scratch import scratch


class Probe(NamedTuple):
    """What one run takes. `build_s` is the building of net and batches; `saved_bytes` are weights and predictions."""

    entry: str
    steps: int
    images_per_s: float
    train_s: float
    test_s: float
    build_s: float
    memory_mib: int
    saved_bytes: int


class Timing(NamedTuple):
    """An entry's probe, beside as many others as run at once, and the seconds that a stage took to start."""

    probe: Probe
    load_s: float


def keep(study: Study, abreast: int, found: Mapping[str, Timing]) -> None:
    """Keep what was measured of some entries, on `abreast` copies side by side, in place of what is kept of them."""
    entries = {
        entry: {"of": identity(study, entry, abreast), "probe": timing.probe._asdict(), "load_s": timing.load_s}
        for entry, timing in found.items()
    }
    path = scratch("plan") / f"{study.study}.json"
    files.write_json(path, (files.read_json(path) if path.exists() else {}) | entries)


def recall(study: Study, abreast: int) -> dict[str, Timing]:
    """What is kept of the study's entries as they are now."""
    path = scratch("plan") / f"{study.study}.json"
    kept = files.read_json(path) if path.exists() else {}
    return {
        entry: Timing(Probe(**kept[entry]["probe"]), kept[entry]["load_s"])
        for entry in study.entries
        if entry in kept and kept[entry]["of"] == identity(study, entry, abreast)
    }


def identity(study: Study, entry: str, abreast: int) -> Any:
    """All that an entry's time depends on, as JSON gives it back."""
    run, dataset = resolve(study, entry).model_dump(), study.dataset.model_dump(exclude={"folder"})
    return json.loads(json.dumps({"run": run, "dataset": dataset, "abreast": abreast, "measures": Probe._fields}))
