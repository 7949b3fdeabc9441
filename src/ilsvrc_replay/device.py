"""The device that a stage computes on, and how it computes there."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ilsvrc_replay.errors import StudyError, memory_is_short

if TYPE_CHECKING:
    from ilsvrc_replay.run import Compute


def on_cpu(threads: int) -> None:
    """Set threads and rounding of what is computed on the CPU."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # weights that fade out would slow a CPU down a hundredfold
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, finds bugs that tests find too


def choose_device(compute: Compute) -> torch.device:
    """Set threads and rounding as `compute` says and return its device. Raises StudyError if there is none."""
    on_cpu(compute.threads)
    if compute.device == "cuda" and not torch.cuda.is_available():
        raise StudyError("compute.device is cuda, but torch finds no CUDA device: use cpu or auto")
    if compute.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cudnn.benchmark = not compute.deterministic
    torch.backends.cudnn.allow_tf32 = False  # torch's default for convolutions, which is not fp32
    return torch.device("cuda")


def processor(device: torch.device) -> str:
    """What computes on `device`: "NVIDIA H200" or, with the instructions that torch uses of a CPU, "AMD EPYC, AVX512".

    Two kinds round otherwise, so that the same training ends in other weights.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_model()}, {torch.backends.cpu.get_cpu_capability()}"


def cpu_model() -> str:
    """The CPU's name, as Linux has it, or the kind of machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


@contextmanager
def enough_memory(lower: str) -> Iterator[None]:
    """Raises StudyError, which says what to `lower`, if the block uses up the memory of the machine or the GPU."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if memory_is_short(error):
            raise StudyError(f"out of memory: lower {lower}") from None
        raise
