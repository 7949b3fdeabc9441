"""What a process frees stays with it, for its next tensors (glibc).

By default the allocator gives large blocks back to the system at once. Every step of a training then asks for all its
activations anew, and the system clears each page before it hands it out: a good part of a small net's step on a CPU.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed() -> None:
    """Blocks up to 1 GiB come from the heap, which never shrinks; does nothing without glibc."""
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, 2**30)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
