"""The errors that any net must beat: of guessing, and of a linear classifier on the same images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ilsvrc_replay import metrics
from ilsvrc_replay.packed.packed_data import Packed

LARGEST_SIDE = 32  # px: larger images are shrunk for the linear classifier
LARGEST_SET = 100_000  # training images: of larger sets it learns from as many, evenly spread
EPOCHS, BATCH, RATE = 10, 200, 0.003
METHOD = f"logistic regression on the pixels, {EPOCHS} epochs of Adam"


def measure(packed: Packed) -> dict[str, float | int | str]:
    """Top-1 and top-5 error in % of guessing and of a linear classifier, on the test images; of the linear one also the
    top-1 error on those that it learned from, and on those held out of them."""
    classes, count = len(packed.meta["classes"]), packed.meta["images"]["train"]
    chance1, chance5 = (round(100 * (1 - min(k, classes) / classes), 4) for k in (1, 5))
    floor = {"chance_top1_err": chance1, "chance_top5_err": chance5}
    if not count:
        return {
            **floor,
            "linear_top1_err": chance1,
            "linear_top5_err": chance5,
            "linear_train_top1_err": chance1,
            "linear_val_top1_err": chance1,
            "linear": "without training images no better than guessing",
            "images": packed.meta["images"]["test"],
        }
    some = torch.arange(min(count, LARGEST_SET)) * count // min(count, LARGEST_SET)
    seen, truth = pixels(packed, "train", some), packed.labels("train")[some]
    classifier = fit(seen, truth, classes)
    with torch.inference_mode():
        outputs, labels = classifier(pixels(packed, "test")), packed.labels("test")
        fitted, held_out = classifier(seen), classifier(pixels(packed, "val"))
    return {
        **floor,
        "linear_top1_err": metrics.error(outputs, labels, 1),
        "linear_top5_err": metrics.error(outputs, labels, 5),
        "linear_train_top1_err": metrics.error(fitted, truth, 1),
        "linear_val_top1_err": metrics.error(held_out, packed.labels("val"), 1),
        "linear": METHOD if len(some) == count else f"{METHOD} on {len(some):,} of the training images",
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
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch))
        for index in order[: len(labels) // batch * batch].view(-1, batch):
            optimizer.zero_grad()
            F.cross_entropy(classifier(inputs[index]), labels[index]).backward()
            optimizer.step()
            schedule.step()
    return classifier


def pixels(packed: Packed, split: str, index: Tensor | None = None) -> Tensor:
    """The split's images, or those of `index`, standardised: (N, D). In batches: large sets may not fit in memory."""
    images, statistics = packed.images(split), packed.pixels()
    index = torch.arange(len(images)) if index is None else index
    side = min(images.shape[-1], LARGEST_SIDE)
    inputs = torch.empty(len(index), images.shape[1] * side * side)
    for start in range(0, len(index), BATCH):
        part = statistics.standardise(images[index[start : start + BATCH]] / 255)
        if part.shape[-1] > LARGEST_SIDE:
            part = F.interpolate(part, size=(side, side), mode="area")
        inputs[start : start + BATCH] = part.flatten(1)
    return inputs
