"""What any net must beat: chance, and a linear classifier on the same images."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch.nn import functional as F

from ilsvrc_replay import scores
from ilsvrc_replay.data.packing import Packed

LARGEST_SIDE = 32  # px: larger images are shrunk for the linear classifier, as its cost grows with every pixel
LARGEST_SET = 60_000  # images it learns from at most


def measure(packed: Packed) -> dict[str, float | int | str]:
    """Top-1 and top-5 error in % of guessing and of multinomial logistic regression on the pixels of the test set."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    (x, y), (test_x, test_y) = (flatten(packed, split) for split in ("train", "test"))
    varying = x.std(0) > 0  # a black border says nothing and costs time
    x, test_x = x[:, varying], test_x[:, varying]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it stops when 100 steps are done, as stated
        model = LogisticRegression(max_iter=100).fit(x[:LARGEST_SET], y[:LARGEST_SET])
    probabilities, labels = torch.from_numpy(model.predict_proba(test_x)), torch.from_numpy(test_y)
    classes = len(packed.meta["classes"])
    return {
        "chance_top1_err": round(100 * (1 - 1 / classes), 4),
        "chance_top5_err": round(100 * (1 - min(5, classes) / classes), 4),
        "linear_top1_err": scores.error(probabilities, labels, 1),
        "linear_top5_err": scores.error(probabilities, labels, 5),
        "linear": "logistic regression on the pixels, 100 steps of L-BFGS",
        "images": len(test_y),
    }


def flatten(packed: Packed, split: str) -> tuple[np.ndarray, np.ndarray]:
    images = packed.pixels().standardise(packed.images(split) / 255)
    if images.shape[-1] > LARGEST_SIDE:
        images = F.interpolate(images, size=(LARGEST_SIDE, LARGEST_SIDE), mode="area")
    return images.flatten(1).numpy(), packed.labels(split).numpy()
