"""Published weights: what they are called, how their publisher prepares images, and where their file is.

An entry with `recipe: pretrained` names its weights in one of three ways:

    weights: torchvision/resnet152:IMAGENET1K_V1     with architecture: torchvision/resnet152
    weights: timm/inception_v4.tf_in1k@<sha256>      with architecture: timm/inception_v4.tf_in1k
    weights: path/to/weights.safetensors             a state dict, also .pth, of any architecture

After the @ stands the start of the file's sha256, as its publisher may put another in its place. Who does not know it
leaves it out: the run is refused with a line that says it. torchvision's files have it in their names.

The first two are those of ImageNet's 1,000 classes, and are tested as their publisher does: the original images
through the library's own transform, with its size, crop, interpolation, mean and deviation. The figures published with
them hold for nothing else: the same weights differ by 0.3 points between two interpolations.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.layers.library import timm, torchvision_models, unknown
from ilsvrc_replay.run import Run


@dataclass(frozen=True)
class LibraryWeights:
    """Weights of a library: how to prepare an image for them, and what their publisher says of them.

    `transform` makes a PIL image (3, image_size, image_size). `options` go to the library's constructor with the
    weights. `address` and `file` say where the file is fetched from; `repository` is that of the Hugging Face hub.
    `sha256` is the start of the file's checksum, "" if the study does not name it.
    """

    library: str
    model: str
    image_size: int
    transform: Callable[[Image.Image], Tensor]
    preset: dict[str, Any]
    stated: dict[str, float]
    load: Callable[[str], nn.Module]
    address: str
    file: str
    sha256: str
    repository: str | None = None

    @property
    def crop_pct(self) -> float:
        """The side of the crop in sides of the resized image."""
        return round(self.preset.get("crop_pct") or self.preset["crop"] / self.preset["resize"], 4)


def find(run: Run) -> LibraryWeights | None:
    """The library's weights that `run` names; None if it names a file, or has no weights. Raises StudyError."""
    if run.weights is None or not run.weights.of_library:
        return None
    weights, net = run.weights.name, run.net
    name = re.split("[:@]", weights)[0]
    if name != net.architecture:
        raise StudyError(f"weights are {weights}, but the architecture is {net.architecture}: use {name} there")
    if net.width != 1.0 or net.compact not in ("auto", 1):
        raise StudyError(f"weights {weights} are of the net as it is: leave out width and compact")
    return find_in_torchvision(weights) if name.startswith("torchvision/") else find_in_timm(weights)


def find_in_torchvision(named: str) -> LibraryWeights:
    models = torchvision_models()
    name, _, tag = named.removeprefix("torchvision/").partition(":")
    if name not in models.list_models(module=models):
        raise unknown("torchvision", name, models.list_models(module=models))
    known = models.get_model_weights(name)
    names = [weights.name for weights in known]  # without DEFAULT, which changes with the library
    if tag not in names:
        choice = " or ".join(f"torchvision/{name}:{one}" for one in names)
        raise StudyError(f"weights are {named}: name them {choice}")
    weights = known[tag]
    preset = weights.transforms()
    stated = weights.meta["_metrics"].get("ImageNet-1K", {})
    return LibraryWeights(
        library="torchvision",
        model=name,
        image_size=preset.crop_size[0],
        transform=preset,
        preset={
            "resize": preset.resize_size[0],
            "crop": preset.crop_size[0],
            "interpolation": preset.interpolation.value,
            "mean": list(preset.mean),
            "std": list(preset.std),
        },
        stated={f"top{k}_err": round(100 - stated[f"acc@{k}"], 3) for k in (1, 5) if f"acc@{k}" in stated},
        load=partial(load_torchvision, name, weights),
        address=weights.url,
        file=weights.url.rpartition("/")[2],
        sha256=re.search(r"-([0-9a-f]{8,})\.", weights.url)[1],
    )


def load_torchvision(name: str, weights: Any, _path: str) -> nn.Module:
    """The net from its file in torch.hub's cache, where torchvision looks by itself; without auxiliary classifiers."""
    net = torchvision_models().get_model(name, weights=weights)
    for auxiliary in ("aux1", "aux2", "AuxLogits"):
        if hasattr(net, auxiliary):
            setattr(net, auxiliary, None)
    return net


def find_in_timm(weights: str) -> LibraryWeights:
    name, pinned, checksum = weights.removeprefix("timm/").partition("@")
    if pinned and not re.fullmatch("[0-9a-f]{8,64}", checksum):
        raise StudyError(f"weights are {weights}: after the @ stand 8 or more digits of the file's sha256")
    if name not in timm().list_pretrained():
        raise unknown("timm", name, timm().list_pretrained(f"{name.partition('.')[0]}.*") or timm().list_pretrained())
    card = timm().get_pretrained_cfg(name)
    if card.num_classes != 1000 or not card.hf_hub_id:
        raise StudyError(f"weights {weights} are for {card.num_classes:,} classes; only ImageNet's 1,000 are known")
    preset = timm().data.resolve_data_config({}, pretrained_cfg=card.to_dict())
    file = card.hf_hub_filename or "model.safetensors"
    return LibraryWeights(
        library="timm",
        model=name,
        image_size=preset["input_size"][-1],
        transform=timm().data.create_transform(**preset, is_training=False),
        preset={key: list(value) if isinstance(value, tuple) else value for key, value in preset.items()},
        stated={},  # timm publishes its results apart from the weights
        load=partial(load_timm, name),
        address=f"https://huggingface.co/{card.hf_hub_id}/resolve/main/{file}",
        file=file,
        sha256=checksum,
        repository=card.hf_hub_id,
    )


def load_timm(name: str, path: str) -> nn.Module:
    return timm().create_model(name, pretrained=True, pretrained_cfg_overlay={"file": path})


REMAPPED = ("googlenet", "inception_v3")  # torchvision's ports from TensorFlow


def adapt(net: nn.Module, run: Run) -> None:
    """Make `net` see what its published weights were trained on: torchvision's ports from TensorFlow turn the mean
    and deviation of torchvision's transform into TensorFlow's inside the net."""
    if run.weights and run.weights.of_library and run.net.architecture.removeprefix("torchvision/") in REMAPPED:
        net.transform_input = True


def check_classes(weights: str, classes: list[str]) -> None:
    """Raises StudyError unless `classes` are ImageNet's 1,000 in their order: other outputs would be other things."""
    expected = timm().data.ImageNetInfo("imagenet-1k").label_names()
    if classes != expected:
        what = f"{len(classes):,} classes" if len(classes) != len(expected) else "1,000 classes of other names"
        raise StudyError(
            f"weights {weights} know ImageNet's 1,000 classes, called by their wnids, but the data set has {what}"
        )


@torch.no_grad()
def state_of(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()}
