"""The device that a stage computes on, and how it computes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    return torch.device("cuda")


@contextmanager
def enough_memory(lower: str) -> Iterator[None]:
    """Raises StudyError, which says what to `lower`, if the block uses up the memory of the machine or the GPU."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if memory_is_short(error):
            raise StudyError(f"out of memory: lower {lower}") from None
        raise
