"""A net's predictions by a test protocol: images are cut into views, and the views' predictions averaged.

Views are cut on the device, a batch of images at a time. Packed images are square, so that the three squares of
GoogLeNet's 144 crops coincide, and so do both readings of ten crops; equal views are computed once and weighted by how
often they occur.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ilsvrc_replay.evaluation.dense import dense
from ilsvrc_replay.evaluation.protocols import OTHER_IMAGES, PLANS, Dense, MultiCrop
from ilsvrc_replay.input.views import resized, standardised, test_view
from ilsvrc_replay.packed.packed_data import Pixels

Scores = Callable[[Tensor], Tensor]


class Predictor(NamedTuple):
    """A net with what its predictions need: `pixels`, the statistics of the images; `size`, the side of its input in
    px; and `test_scale`, the side that images are resized to before a single crop, in sides of the input."""

    net: nn.Module
    pixels: Pixels
    size: int
    test_scale: float

    def probabilities(self, protocol: str, images: Tensor) -> Tensor:
        """Class probabilities (N, K) of uint8 images (N, C, S, S) on the net's device."""
        if protocol == "single_crop" or protocol in OTHER_IMAGES:
            return self.net(test_view(self.pixels, self.size, self.test_scale)(images)).softmax(1)
        images = images / 255
        plan = PLANS[protocol]
        views = self.crops(plan, images) if isinstance(plan, MultiCrop) else self.dense(plan, images)
        total, count = 0.0, 0
        for scores, view, times in views:
            total = total + times * (self.softmax(scores, view) + self.softmax(scores, view.flip(-1)))
            count += 2 * times
        return total / count

    def crop_share(self, protocol: str) -> float | None:
        """The side of a crop in sides of the resized image, timm's `crop_pct`; None if there are several scales."""
        scales = PLANS[protocol].scales if protocol in PLANS else (self.test_scale,)
        return round(1 / scales[0], 4) if len(scales) == 1 else None

    def softmax(self, scores: Scores, view: Tensor) -> Tensor:
        """Class probabilities of a view on the [0, 1] scale."""
        return scores(standardised(view, self.pixels)).softmax(1)

    def crops(self, plan: MultiCrop, images: Tensor) -> Iterator[tuple[Scores, Tensor, int]]:
        """The net, a view of all images, and how often the protocol has that view."""
        for scale in plan.scales:
            side = round(scale * self.size)
            larger = resized(images, side)
            for (top, left, box), times in Counter(plan.boxes(side, side, self.size)).items():
                yield self.net, resized(larger[..., top : top + box, left : left + box], self.size), times

    def dense(self, plan: Dense, images: Tensor) -> Iterator[tuple[Scores, Tensor, int]]:
        """The fully convolutional net and the images at a scale, once each."""
        scores = dense(self.net, self.size)
        for scale in plan.scales:
            yield scores, resized(images, round(scale * self.size)), 1


@torch.inference_mode()
def predict(predictor: Predictor, protocol: str, images: Tensor, batch_size: int) -> Tensor:
    """Class probabilities (N, K) of uint8 images (N, C, S, S), on the CPU, in batches of `batch_size`."""
    device = predictor.pixels.mean.device
    return torch.cat([predictor.probabilities(protocol, part.to(device)).cpu() for part in images.split(batch_size)])
