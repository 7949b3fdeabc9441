"""What `import ilsvrc_replay` offers in Python; see notebooks/lightning.ipynb."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ilsvrc_replay import nets, params
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.models import initial_weights, registry
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.check import check
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Seed
from ilsvrc_replay.run import load_run as load_tuned
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.fit import Job

__all__ = ["Job", "Study", "StudyError", "architectures", "build", "load_run", "load_study", "train"]


def architectures() -> list[str]:
    """The names of the papers' nets; any `torchvision/<name>` and `timm/<name>` is one, too."""
    return sorted(nets.families())


def build(
    architecture: str,
    *,
    image_size: int = 224,
    channels: int = 3,
    classes: int = 1000,
    width: float = 1.0,
    compact: int | str = 1,
    init: str = "paper",
    seed: int = 0,
) -> nn.Module:
    """A net with its initial weights, for images (N, `channels`, `image_size`, `image_size`) of so many classes.

    `width` multiplies its channel counts, `compact` divides its total stride. Raises StudyError if there is no such
    net, or it does not take these.
    """
    shape = {"image_size": image_size, "channels": channels, "classes": classes}
    net, _ = registry.build(architecture, width=width, compact_factor=compact, **shape)
    return initial_weights.materialise(net, registry.find(architecture), init, seed)


def load_study(path: Path | str = "params.yaml") -> Study:
    """A study, checked. Raises StudyError with one line that names the first wrong key or entry and what it may be."""
    study = params.load_study(path)
    check(study)
    return study


def load_run(path: Path | str = "params.yaml", entry: str = "alexnet", seed: Seed = 0) -> Job:
    """A run of a study, ready for Lightning: `Trainer(max_epochs=1).fit(run.module, run.data)`, or for `train`.

    The packed data lie in data/packed/ of the current folder (`dvc repro prepare`), a value that the entry searches in
    tuning/ (`dvc repro tune@<entry>`). Raises StudyError if they are not there, or if the entry has published weights
    or does not fit the data.
    """
    study = load_study(path)
    run = resolve(study, entry)
    if run.recipe is None:
        raise StudyError(f"entries.{entry} has published weights: there is nothing to train")
    if run.search:
        tuned = load_tuned(Path("tuning") / entry / "run.json")
        if tuned.search != run.search:
            raise StudyError(f"entries.{entry} was searched otherwise: run `dvc repro tune@{entry}`")
        run = run.with_recipe(**{run.search.key: getattr(tuned.recipe, run.search.key)})
    return fit.set_up(run, seed, packed_data.load(Path("data/packed") / study.dataset.name).redrawn(seed))


def train(run: Job) -> nn.Module:
    """Train a run as stage train does, with the engine of its study; returns the net on the CPU.

    Raises StudyError if the training diverges or does not fit into memory.
    """
    return fit.run(run)
