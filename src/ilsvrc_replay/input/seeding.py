"""Random numbers that depend on their address alone: on (seed, epoch, image), or on (seed, step).

An epoch's draws are made at once, for all images, on the CPU: an image gets the same augmentation whatever the batch
size, the device, the number of devices, or the moment at which a killed run went on.
"""

from __future__ import annotations

import numpy as np
import torch


def seed_of(*address: int) -> int:
    """A 64-bit seed for an address such as (seed, epoch); numpy's SeedSequence keeps near addresses far apart.

    It takes no account of zeros at the end, so the address's length comes first.
    """
    return int(np.random.SeedSequence((len(address), *address)).generate_state(1, np.uint64)[0])


def generator(*address: int) -> torch.Generator:
    """A generator on the CPU, at the start of its address's numbers."""
    return torch.Generator().manual_seed(seed_of(*address))
