"""The test protocols by name, as their papers define them.

Sizes are ratios to the side of the net's input (224 px in most papers), so that a protocol exists at every size. `@N`
after a name takes only the first N test images. `training_images` is the single crop of the images that the net was
trained on: how well it fits them, not how good it is. `validation_images` is that of the images held out from training:
what to choose a recipe by. To add a protocol, add it to PLANS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ilsvrc_replay.evaluation import crops

TRAINING, VALIDATION = "training_images", "validation_images"
OTHER_IMAGES = {TRAINING: ("train", "training_labels"), VALIDATION: ("val", "validation_labels")}
DENSE_FAMILIES = ("alexnet", "zfnet", "vgg", "resnet")  # whose papers or followers tested densely


class MultiCrop(NamedTuple):
    """Class probabilities averaged over boxes at some scales, and their mirror images."""

    boxes: Callable[[int, int, int], list[crops.Box]]
    scales: tuple[float, ...]


class Dense(NamedTuple):
    """Class scores averaged over all places of the net's window, then softmax, averaged over scales and mirror images.

    VGG's section 3.2 reads as averaging the scores before the softmax; ResNet's paper does not say.
    """

    scales: tuple[float, ...]


def of_224(*sides: int) -> tuple[float, ...]:
    """Sides of resized images, in px, as the papers state them for a net that reads 224 px."""
    return tuple(side / 224 for side in sides)


PLANS: dict[str, MultiCrop | Dense] = {
    "ten_crop": MultiCrop(crops.ten_crop, of_224(256)),  # ResNet, section 4.1
    "ten_crop_of_square": MultiCrop(crops.ten_crop_of_square, of_224(256)),  # AlexNet, section 4.1
    "crops_144": MultiCrop(crops.crops_144, of_224(256, 288, 320, 352)),  # GoogLeNet, section 7
    "crops_150": MultiCrop(crops.crops_150, of_224(256, 384, 512)),  # VGG, section 4.3
    "dense": Dense(of_224(256)),  # VGG, table 3
    "dense_3_scales": Dense(of_224(256, 384, 512)),  # VGG, table 4
    "dense_5_scales": Dense(of_224(224, 256, 384, 480, 640)),  # ResNet, section 3.4
}
PROTOCOLS = ("single_crop", *PLANS, *OTHER_IMAGES)


def parse(protocol: str) -> tuple[str, int | None]:
    """The protocol's name, and how many test images it takes: "ten_crop@1000" is ("ten_crop", 1000)."""
    name, _, limit = protocol.partition("@")
    return name, int(limit) if limit else None


def tested_on(protocol: str) -> tuple[str, str]:
    """The split whose images the protocol tests on, and the name of their labels in a run's predictions."""
    return OTHER_IMAGES.get(parse(protocol)[0], ("test", "labels"))
