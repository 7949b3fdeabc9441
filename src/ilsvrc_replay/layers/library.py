"""Nets that torchvision and timm ship: any of them by name, and those that the other families take from there.

`torchvision/<name>` and `timm/<name>` are nets as the library constructs them, without its weights. They start as the
library starts them and see images standardised by the library's own mean and deviation. Auxiliary classifiers of
torchvision's nets are left off. Both libraries take seconds to import, so nothing here does before it must.
"""

from __future__ import annotations

import difflib
from functools import partial
from types import ModuleType
from typing import Any

from torch import nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.layers.architecture import Architecture, Normalisation
from ilsvrc_replay.layers.compat import make_torchvision_importable

WITH_AUXILIARIES = ("googlenet", "inception_v3")  # torchvision's, which would also start slowly


def torchvision_models() -> ModuleType:
    make_torchvision_importable()
    import torchvision.models

    return torchvision.models


def timm() -> ModuleType:
    make_torchvision_importable()
    import timm

    return timm


def from_torchvision(name: str, **options: Any) -> nn.Module:
    return torchvision_models().get_model(name, weights=None, **options)


def from_timm(name: str, **options: Any) -> nn.Module:
    return timm().create_model(name, pretrained=False, num_classes=1000, **options)


def find(name: str) -> Architecture:
    """The net `torchvision/<name>` or `timm/<name>`. Raises StudyError that names the nearest ones."""
    library, _, model = name.partition("/")
    if library == "torchvision":
        return find_in_torchvision(model)
    if library == "timm":
        return find_in_timm(model)
    raise StudyError(f"there is no library {library!r}; nets are called torchvision/<name> or timm/<name>")


def find_in_torchvision(model: str) -> Architecture:
    models = torchvision_models()
    known = models.list_models(module=models)
    if model not in known:
        raise unknown("torchvision", model, known)
    options = {"aux_logits": False, "init_weights": True} if model in WITH_AUXILIARIES else {}
    preset = next(iter(models.get_model_weights(model))).transforms()
    return Architecture(
        partial(from_torchvision, model, **options),
        input_size=preset.crop_size[0],
        normalisation=Normalisation(tuple(preset.mean), tuple(preset.std)),
    )


def find_in_timm(model: str) -> Architecture:
    plain, _, tag = model.partition(".")
    if not timm().is_model(plain):
        raise unknown("timm", model, timm().list_models())
    tagged = timm().list_pretrained(f"{plain}.*")
    if tag and model not in tagged:
        raise unknown("timm", model, tagged)
    preset = timm().get_pretrained_cfg(model)
    channels, size, _ = preset.input_size
    return Architecture(
        partial(from_timm, model),
        input_size=size,
        channels=channels,
        normalisation=Normalisation(tuple(preset.mean), tuple(preset.std)),
    )


def unknown(library: str, model: str, known: list[str]) -> StudyError:
    nearest = difflib.get_close_matches(model, known, n=3, cutoff=0.3) or known[:3]
    names = ", ".join(f"{library}/{name}" for name in nearest)
    return StudyError(f"there is no architecture '{library}/{model}'; the nearest names are {names}")
