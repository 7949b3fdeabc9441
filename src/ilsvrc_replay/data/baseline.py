"""What any net must beat: chance, and a linear classifier on the same images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay import scores
from ilsvrc_replay.data import draws
from ilsvrc_replay.data.packing import Packed

LARGEST_SIDE = 32  # px: larger images are shrunk for the linear classifier
EPOCHS, BATCH, RATE = 10, 200, 0.003
METHOD = f"logistic regression on the pixels, {EPOCHS} epochs of Adam"


def measure(packed: Packed) -> dict[str, float | int | str]:
    """Top-1 and top-5 error in % of guessing and of a linear classifier, on the test images."""
    classes = len(packed.meta["classes"])
    classifier = fit(pixels(packed, "train"), packed.labels("train"), classes)
    with torch.inference_mode():
        outputs, labels = classifier(pixels(packed, "test")), packed.labels("test")
    return {
        "chance_top1_err": round(100 * (1 - 1 / classes), 4),
        "chance_top5_err": round(100 * (1 - min(5, classes) / classes), 4),
        "linear_top1_err": scores.error(outputs, labels, 1),
        "linear_top5_err": scores.error(outputs, labels, 5),
        "linear": METHOD,
        "images": len(labels),
    }


def fit(inputs: Tensor, labels: Tensor, classes: int) -> torch.nn.Linear:
    """Multinomial logistic regression of `labels` (N,) on `inputs` (N, D), from zero weights."""
    classifier = torch.nn.Linear(inputs.shape[1], classes)
    torch.nn.init.zeros_(classifier.weight)
    torch.nn.init.zeros_(classifier.bias)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=RATE, fused=True)
    batch = min(BATCH, len(labels))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(labels) // batch))
    for epoch in range(EPOCHS):
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(draws.key(0, epoch)[0]))
        for index in order[: len(labels) // batch * batch].view(-1, batch):
            optimizer.zero_grad()
            F.cross_entropy(classifier(inputs[index]), labels[index]).backward()
            optimizer.step()
            schedule.step()
    return classifier


def pixels(packed: Packed, split: str) -> Tensor:
    images = packed.pixels().standardise(packed.images(split) / 255)
    if images.shape[-1] > LARGEST_SIDE:
        images = F.interpolate(images, size=(LARGEST_SIDE, LARGEST_SIDE), mode="area")
    return images.flatten(1)
