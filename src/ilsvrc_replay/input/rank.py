"""Which of the processes of one training this is, by the environment of whoever started it.

torchrun, and this project itself, set RANK, LOCAL_RANK and WORLD_SIZE; SLURM's srun sets SLURM_PROCID and others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

FOLLOWS = "REPLAY_FOLLOWS"  # set for processes that this project starts; their standard input ends with their leader


@dataclass(frozen=True)
class Rank:
    """Number `rank` of `count` processes, and number `local` of those on this machine; `by` names who started them."""

    rank: int = 0
    local: int = 0
    count: int = 1
    by: str = ""


def rank() -> Rank:
    number = {key: int(value) for key, value in os.environ.items() if value.isdecimal()}
    if {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= number.keys():
        return Rank(number["RANK"], number["LOCAL_RANK"], number["WORLD_SIZE"], "torchrun")
    by_hand = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")  # a shell in an allocation, as for Lightning
    if {"SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS"} <= number.keys() and not by_hand:
        return Rank(number["SLURM_PROCID"], number["SLURM_LOCALID"], number["SLURM_NTASKS"], "SLURM")
    return Rank()
