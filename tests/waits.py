"""What would let the host wait for a GPU, counted on any device."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
WAITS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.lift_fresh.default, aten.masked_select.default}


class Waits(TorchDispatchMode):
    """Notes what would let the host wait: a value read, a tensor made of numbers, a size that depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in WAITS:
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))
