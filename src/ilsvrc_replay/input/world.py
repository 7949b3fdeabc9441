"""The processes that train one net together, and which of them this is.

torchrun, and this project itself, set RANK, LOCAL_RANK and WORLD_SIZE; SLURM's srun sets SLURM_PROCID and others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

FOLLOWS = "REPLAY_FOLLOWS"  # set for processes that this project starts; their standard input ends with the first one


@dataclass(frozen=True)
class World:
    """Process `rank` of `size`, number `local_rank` of those on this machine; `launcher` names who started them.

    Each takes a share of every batch. Shares follow one another in order of rank; their sizes differ by one at most.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    launcher: str = ""

    def rows(self, number: int) -> slice:
        """Which of `number` things are this process's."""
        return slice(self.rank * number // self.size, (self.rank + 1) * number // self.size)

    def share(self, number: int) -> float:
        """The fraction of `number` things that is this process's."""
        rows = self.rows(number)
        return (rows.stop - rows.start) / number


ALONE = World()


def from_environment() -> World:
    """What the environment of whoever started this process says."""
    number = {key: int(value) for key, value in os.environ.items() if value.isdecimal()}
    if {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= number.keys():
        return World(number["RANK"], number["WORLD_SIZE"], number["LOCAL_RANK"], "torchrun")
    by_hand = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")  # a shell in an allocation, as for Lightning
    if {"SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS"} <= number.keys() and not by_hand:
        return World(number["SLURM_PROCID"], number["SLURM_NTASKS"], number["SLURM_LOCALID"], "SLURM")
    return ALONE
