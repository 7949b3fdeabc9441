"""Let PyPI's torchvision be imported beside a torch without CUDA.

PyPI's torchvision is built for CUDA torch. Beside a CPU-only torch its C++ operators do not load, and `import
torchvision` fails as it registers shapes for two that are then unknown. Their names alone are enough for it: nothing
of this project, nor of timm or Lightning, calls them.
"""

from __future__ import annotations

import torch

MISSING = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a declaration lives as long as its library


def make_torchvision_importable() -> None:
    """Call before anything imports torchvision; does nothing with a CUDA build of torch, nor a second time."""
    if torch.version.cuda is None and not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in MISSING:
            library.define(schema)
        _declared.append(library)
