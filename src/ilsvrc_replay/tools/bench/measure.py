"""The rows of `replay bench`: medians of every entry's speeds, measured by turns, several times."""

from __future__ import annotations

import gc
import platform
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.models import input_scale, registry
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.tools.bench import loaders, reading, stepping
from ilsvrc_replay.tools.bench.stepping import Speed
from ilsvrc_replay.training import fit

JPEGS = 4096  # files that the loaders read
STORED = 2048  # images of which reading and decoding is timed


def rows(study: Study, entries: list[str], with_loaders: bool, seconds: float, rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each of `entries`, as soon as it is measured. Raises StudyError if one has published weights."""
    for entry in entries:
        if study.recipe(entry) == "pretrained":
            raise StudyError(f"entries.{entry} has published weights: nothing of it is trained that could be timed")
    packed = packed_data.load(Path("data/packed") / study.dataset.name)
    with drawn_jpegs(packed, JPEGS) if with_loaders else nullcontext() as jpegs:
        for entry in entries:
            yield measure(study, entry, packed, jpegs, seconds, rounds)


@contextmanager
def drawn_jpegs(packed: Packed, count: int) -> Iterator[Path]:
    """A temporary folder of JPEG files made of the packed images, and in it what this project packs them to."""
    with tempfile.TemporaryDirectory(prefix="replay-bench-") as name:
        folder = Path(name)
        loaders.write_jpegs(packed, min(count, len(packed.labels("train"))), folder)
        loaders.pack_jpegs(folder)
        yield folder


def measure(
    study: Study, entry: str, packed: Packed, jpegs: Path | None, seconds: float, rounds: int
) -> dict[str, Any]:
    """The row of `entry`; without `jpegs` it has no data loaders.

    Every round measures all speeds, so that a machine that slows down slows all of them; ratios, too, are medians over
    rounds. Raises StudyError as `fit.set_up` does.
    """
    job = fit.set_up(resolve(study, entry), study.seeds[0], packed)
    forget_peak(job.device)
    taken = [there_and_back(job, seconds) for _ in range(rounds)]
    row = {
        **described(study, job, packed),
        "loop_images_per_s": middle(taken, "loop"),
        "ceiling_images_per_s": middle(taken, "ceiling"),
        "loop_share": share(taken, "loop", "ceiling"),
        "loop_share_cpu_time": round(median(cpu_share(speeds) for speeds in taken), 4),
        "peak_memory_mib": peak_memory(job.device),
    }
    del job
    gc.collect()
    return row | (against_loaders(study, entry, jpegs, seconds, rounds) if jpegs else {}) | hardware(seconds, rounds)


def there_and_back(job: fit.Job, seconds: float) -> dict[str, Speed]:
    """Loop, ceiling, ceiling, loop: a steady drift of the machine's speed affects both alike."""
    order = (stepping.real_loop, stepping.resident_batch, stepping.resident_batch, stepping.real_loop)
    first, second, third, fourth = (speed(job, seconds / 2) for speed in order)
    return {"loop": first.mean(fourth), "ceiling": second.mean(third)}


def against_loaders(study: Study, entry: str, jpegs: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """The real loop on the packed JPEG files, and the same net's bare step fed with the files by both libraries."""
    packed = packed_data.load(jpegs / "packed")
    job = fit.set_up(resolve(study, entry), study.seeds[0], packed)
    architecture = registry.find(job.record["net"]["architecture"])
    pixels = input_scale.pixels_for(job.module.net, architecture, packed, job.device)
    taken = []
    for _ in range(rounds):
        speeds = {"project": stepping.real_loop(job, seconds)}
        for name, batches in loaders.LOADERS.items():
            source = batches(jpegs, job, pixels)
            speeds[name] = stepping.fed(job, source, seconds, loaders.QUEUE + stepping.WARM_UP)
            source.close()
            gc.collect()  # ends the workers
        taken.append(speeds)
    return {
        "jpegs": len(packed.labels("train")),
        "jpeg_image_size": loaders.SIDE,
        "jpeg_compact": job.record["compact"],
        **{f"{name}_images_per_s": middle(taken, name) for name in ("project", *loaders.LOADERS)},
        **{f"times_{name}": share(taken, "project", name) for name in loaders.LOADERS},
        "loader_workers": loaders.WORKERS,
        "loader_prefetch": loaders.PREFETCH,
    }


def shards(rounds: int) -> list[dict[str, Any]]:
    """What images of shards cost to read and to decode, a row for each size."""
    rows = []
    for side in (64, 256):
        with tempfile.TemporaryDirectory(prefix="replay-bench-") as name:
            rows.append(reading.costs(STORED, side, rounds, Path(name)) | {"cpu": cpu_model(), "rounds": rounds})
    return rows


def middle(taken: list[dict[str, Speed]], name: str) -> float:
    return round(median(speeds[name].images_per_s for speeds in taken), 1)


def share(taken: list[dict[str, Speed]], name: str, other: str) -> float:
    """How many times as fast as the other: the median over the rounds."""
    return round(median(speeds[name].images_per_s / speeds[other].images_per_s for speeds in taken), 4)


def cpu_share(speeds: dict[str, Speed]) -> float:
    """Loop against ceiling by this process' CPU time, which other work on the machine affects less."""
    return speeds["ceiling"].cpu_us_per_image / speeds["loop"].cpu_us_per_image


def described(study: Study, job: fit.Job, packed: Packed) -> dict[str, Any]:
    return {
        "entry": job.record["entry"],
        "architecture": job.record["net"]["architecture"],
        "width": job.record["net"]["width"],
        "compact": job.record["compact"],
        "param_count": job.record["param_count"],
        "batch_size": job.module.recipe.batch_size,
        "data": packed.meta["name"],
        "image_size": packed.shape["image_size"],
        "device": job.device.type,
        "precision": study.compute.precision,
        "threads": study.compute.threads,
    }


def hardware(seconds: float, rounds: int) -> dict[str, Any]:
    return {
        "cpu": cpu_model(),
        "cores": loaders.WORKERS,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        **{name.replace("-", "_"): version(name) for name in ("torch", "torchvision", "timm", "pytorch-lightning")},
        "seconds": seconds,
        "rounds": rounds,
    }


def cpu_model() -> str:
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.machine()


def forget_peak(device: torch.device) -> None:
    """Let `peak_memory` count from now on."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # where Linux does not allow it, the peak is that of the process' whole life
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_memory(device: torch.device) -> int:
    """In MiB: what tensors took on a GPU at most; without one, the process with its libraries."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return round(int(re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)[1]) / 2**10)
