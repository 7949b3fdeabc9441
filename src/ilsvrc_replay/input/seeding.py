"""Random numbers that depend on (seed, epoch, image) alone.

A draw is a hash of its address, not the next number of a stream: an image gets the same augmentation whatever the
batch size, the device, the number of devices, or the moment at which a killed run went on.
"""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor

MASK = 0xFFFFFFFF
GOLDEN = 0x9E3779B9  # 2**32 by the golden ratio: what spreads small numbers best


def uniform(seed: int, epoch: int, index: Tensor, count: int, stream: int = 0) -> Tensor:
    """`count` draws from U[0, 1) for each image number in `index` (N,): (N, count), float32.

    Draws of one `stream` are independent of those of another.
    """
    low, high = key(seed, epoch, stream)
    image = mix((index.to(torch.int64) + low) & MASK)
    column = torch.arange(high, high + count * GOLDEN, GOLDEN, device=index.device)
    bits = mix((image[:, None] + column) & MASK)
    return (bits >> 8).float() * 2.0**-24


def normal(seed: int, epoch: int, index: Tensor, count: int, stream: int = 0) -> Tensor:
    """`count` draws from N(0, 1) for each image number in `index` (N,): (N, count), float32 (Box & Muller 1958)."""
    radius, angle = uniform(seed, epoch, index, 2 * count, stream).chunk(2, dim=1)
    return (-2 * torch.log1p(-radius)).sqrt() * (2 * math.pi * angle).cos()


def key(*address: int) -> tuple[int, int]:
    """Two 32-bit words that name an address, such as (seed, epoch)."""
    digest = hashlib.blake2b("/".join(map(str, address)).encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


def mix(x: Tensor) -> Tensor:
    """Scramble 32-bit words held in int64, a bijection (the "lowbias32" multipliers of C. Wellons' hash prospector)."""
    x = (x ^ (x >> 16)).mul_(0x7FEB352D).bitwise_and_(MASK)
    x = (x ^ (x >> 15)).mul_(0x846CA68B).bitwise_and_(MASK)
    return x.bitwise_xor_(x >> 16)
