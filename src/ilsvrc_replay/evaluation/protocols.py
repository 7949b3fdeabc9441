"""Test protocols at work: how a test image becomes views, and how the views' predictions become one.

Views are cut on the device, for many images at once. Packed images are square. The three squares of GoogLeNet's 144
crops are then one, and so are both readings of ten crops; equal views are computed once and counted as often as they
occur.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ilsvrc_replay.evaluation.dense import dense
from ilsvrc_replay.evaluation.plans import OTHER_IMAGES, PLANS, Crops, Dense
from ilsvrc_replay.input.views import resized, standardised, test_view
from ilsvrc_replay.packed.packed_data import Pixels

Scores = Callable[[Tensor], Tensor]


class Examiner(NamedTuple):
    """A net with what it must know of its images: their statistics, the side of its input, and the side that test
    images are resized to before their single crop, in sides of that input."""

    net: nn.Module
    pixels: Pixels
    size: int
    test_scale: float

    def probabilities(self, protocol: str, images: Tensor) -> Tensor:
        """uint8 images (N, C, S, S) to class probabilities (N, K)."""
        if protocol == "single_crop" or protocol in OTHER_IMAGES:
            return self.net(test_view(self.pixels, self.size, self.test_scale)(images)).softmax(1)
        images = images / 255
        plan = PLANS[protocol]
        views = self.crops(plan, images) if isinstance(plan, Crops) else self.dense(plan, images)
        total, count = 0.0, 0
        for scores, view, times in views:
            total = total + times * (self.softmax(scores, view) + self.softmax(scores, view.flip(-1)))
            count += 2 * times
        return total / count

    def crop_share(self, protocol: str) -> float | None:
        """The side of a crop in sides of the resized image, timm's `crop_pct`; None where there are several."""
        scales = PLANS[protocol].scales if protocol in PLANS else (self.test_scale,)
        return round(1 / scales[0], 4) if len(scales) == 1 else None

    def softmax(self, scores: Scores, view: Tensor) -> Tensor:
        return scores(standardised(view, self.pixels)).softmax(1)

    def crops(self, plan: Crops, images: Tensor) -> Iterator[tuple[Scores, Tensor, int]]:
        for scale in plan.scales:
            side = round(scale * self.size)
            larger = resized(images, side)
            for (top, left, box), times in Counter(plan.boxes(side, side, self.size)).items():
                yield self.net, resized(larger[..., top : top + box, left : left + box], self.size), times

    def dense(self, plan: Dense, images: Tensor) -> Iterator[tuple[Scores, Tensor, int]]:
        scores = dense(self.net, self.size)
        for scale in plan.scales:
            yield scores, resized(images, round(scale * self.size)), 1


@torch.inference_mode()
def predict(examiner: Examiner, protocol: str, images: Tensor, batch_size: int) -> Tensor:
    """Class probabilities (N, K) of uint8 images (N, C, S, S), each exactly once, on the CPU."""
    device = examiner.pixels.mean.device
    return torch.cat([examiner.probabilities(protocol, part.to(device)).cpu() for part in images.split(batch_size)])
