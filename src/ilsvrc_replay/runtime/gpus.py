"""The machine's GPUs, shared out among stages that run side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ilsvrc_replay.run import Compute

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Cards:
    """Hands out `each` GPUs at a time, by the names that CUDA_VISIBLE_DEVICES has for them.

    Without a free group the one with the fewest users is shared; without any group stages see what this process sees.
    """

    def __init__(self, names: list[str], each: int) -> None:
        self.groups = [names[start : start + each] for start in range(0, len(names) - each + 1, each)]
        self.users = [0] * len(self.groups)
        self.lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[dict[str, str]]:
        """Environment variables that show a stage its GPUs alone, while the block lasts."""
        if not self.groups:
            yield {}
            return
        with self.lock:
            number = self.users.index(min(self.users))
            self.users[number] += 1
        try:
            yield {VISIBLE: ",".join(self.groups[number])}
        finally:
            with self.lock:
                self.users[number] -= 1


def find(compute: Compute) -> Cards:
    """The GPUs that this process sees, for runs that take `compute.devices` each; none if the study runs on CPUs."""
    names: list[str] = []
    if compute.device != "cpu":
        import torch

        there = list(map(str, range(torch.cuda.device_count())))
        names = os.environ[VISIBLE].split(",")[: len(there)] if os.environ.get(VISIBLE) else there
    return Cards(names, compute.devices)
