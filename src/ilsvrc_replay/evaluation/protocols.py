"""Test protocols: how a test image becomes views, and how the views' predictions become one.

A protocol is defined by ratios to the side of the net's input (224 px in most papers), so that it exists at every size.
Its views are cut on the device, for many images at once. `@N` after its name takes the first N test images alone.
`training_images` is the single crop of the images that the net was trained on: how well it fits, not how good it is.
`validation_images` is that of the images held out of them: what to choose a recipe by.

Packed images are square. The three squares of GoogLeNet's 144 crops are then one, and so are both readings of ten
crops; equal views are computed once and counted as often as they occur.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ilsvrc_replay.data.packing import Pixels
from ilsvrc_replay.data.views import resized, standardised, test_view
from ilsvrc_replay.evaluation import crops
from ilsvrc_replay.evaluation.dense import dense
from ilsvrc_replay.params import OTHER_IMAGES

Scores = Callable[[Tensor], Tensor]


class Crops(NamedTuple):
    """Softmax probabilities averaged over boxes at some scales and their mirror images."""

    boxes: Callable[[int, int, int], list[crops.Box]]
    scales: tuple[float, ...]


class Dense(NamedTuple):
    """Class scores averaged over all places, then softmax; averaged over some scales and the mirror image.

    Averaging scores before the softmax is how VGG's section 3.2 reads; ResNet's paper does not say.
    """

    scales: tuple[float, ...]


def of_224(*sides: int) -> tuple[float, ...]:
    """Sides of resized images, in px, as the papers state them for a net that reads 224 px."""
    return tuple(side / 224 for side in sides)


PROTOCOLS: dict[str, Crops | Dense] = {
    "ten_crop": Crops(crops.ten_crop, of_224(256)),  # ResNet, section 4.1
    "ten_crop_of_square": Crops(crops.ten_crop_of_square, of_224(256)),  # AlexNet, section 4.1
    "crops_144": Crops(crops.crops_144, of_224(256, 288, 320, 352)),  # GoogLeNet, section 7
    "crops_150": Crops(crops.crops_150, of_224(256, 384, 512)),  # VGG, section 4.3
    "dense": Dense(of_224(256)),  # VGG, table 3
    "dense_3_scales": Dense(of_224(256, 384, 512)),  # VGG, table 4
    "dense_5_scales": Dense(of_224(224, 256, 384, 480, 640)),  # ResNet, section 3.4
}


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
        plan = PROTOCOLS[protocol]
        views = self.crops(plan, images) if isinstance(plan, Crops) else self.dense(plan, images)
        total, count = 0.0, 0
        for scores, view, times in views:
            total = total + times * (self.softmax(scores, view) + self.softmax(scores, view.flip(-1)))
            count += 2 * times
        return total / count

    def crop_share(self, protocol: str) -> float | None:
        """The side of a crop in sides of the resized image, timm's `crop_pct`; None where there are several."""
        scales = PROTOCOLS[protocol].scales if protocol in PROTOCOLS else (self.test_scale,)
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


def parse(protocol: str) -> tuple[str, int | None]:
    """The protocol's name, and how many test images it takes: "ten_crop@1000" is ("ten_crop", 1000)."""
    name, _, limit = protocol.partition("@")
    return name, int(limit) if limit else None


@torch.inference_mode()
def predict(examiner: Examiner, protocol: str, images: Tensor, batch_size: int) -> Tensor:
    """Class probabilities (N, K) of uint8 images (N, C, S, S), each exactly once, on the CPU."""
    device = examiner.pixels.mean.device
    return torch.cat([examiner.probabilities(protocol, part.to(device)).cpu() for part in images.split(batch_size)])
