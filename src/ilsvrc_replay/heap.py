"""What a process frees stays with it, for its next tensors (glibc).

By default the allocator gives large blocks back to the system at once. Every step of a training then asks for all its
activations anew, and the system clears each page before it hands it out: a quarter to a third of a small net's step on
a CPU.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # malloc.h
MIB = 2**20


def keep_freed() -> None:
    """Blocks up to 1 GiB come from the heap, which grows by 64 MiB and never shrinks; does nothing without glibc."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((MMAP_THRESHOLD, 1024 * MIB), (TRIM_THRESHOLD, 2048 * MIB - 1), (TOP_PAD, 64 * MIB)):
            mallopt(option, value)
