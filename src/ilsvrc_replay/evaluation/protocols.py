"""Test protocols: how a test image becomes views, and how the views' predictions become one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Protocol = Callable[[nn.Module, Tensor], Tensor]


def single_crop(net: nn.Module, images: Tensor) -> Tensor:
    """One view, the packed image whole: standardised images (N, C, S, S) to class probabilities (N, K)."""
    return net(images).softmax(1)


PROTOCOLS: dict[str, Protocol] = {"single_crop": single_crop}


@torch.inference_mode()
def predict(net: nn.Module, protocol: str, batches: object) -> tuple[Tensor, Tensor]:
    """Class probabilities (N, K) and labels (N,) of all images in `batches`, each exactly once, on the CPU."""
    parts = [(PROTOCOLS[protocol](net, images).cpu(), labels.cpu()) for images, labels in batches]
    probabilities, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    return probabilities, labels
