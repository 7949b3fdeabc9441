"""The challenge's error measure."""

from __future__ import annotations

import torch
from torch import Tensor


def wrong(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Which of the images count as wrong: the label is not among the `k` highest scores (N, K); a mask (N,).

    With fewer than `k` classes nothing can be wrong. Scores that are not finite are wrong.
    """
    top = scores.topk(min(k, scores.shape[1]), dim=1).indices
    return ~((top == labels[:, None]).any(1) & torch.isfinite(scores).all(1))


def error(scores: Tensor, labels: Tensor, k: int) -> float:
    """Top-k error in %, to four decimals."""
    return round(100 * wrong(scores, labels, k).sum().item() / len(labels), 4)
