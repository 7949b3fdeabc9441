"""The published recipes of recipes.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ilsvrc_replay import nets
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.run import Recipe

PARTS = ("schedule", "crop")  # of a recipe: keys that one leaves out have the defaults, not another recipe's values


@cache
def published() -> dict[str, Any]:
    """The content of recipes.yaml: `defaults`, recipes by name, and `era` by architecture or family."""
    text = Path(__file__).with_name("recipes.yaml").read_text(encoding="utf-8")
    return YAML(typ="safe", pure=True).load(text)


def of_net(name: str, architecture: str) -> dict[str, Any]:
    """The values of the recipe `name` for a net. Raises StudyError if there is none, or if the era has none for it."""
    if name != "era":
        named = {key: values for key, values in published().items() if key not in ("defaults", "era")}
        if name not in named:
            raise StudyError(f"there is no recipe {name!r}; there are era, {', '.join(named)} and pretrained")
        return named[name]
    family = nets.family(architecture)
    for pattern, values in published()["era"].items():
        if pattern == family or fnmatch(architecture, pattern):
            return values
    raise StudyError(f"there is no era recipe for {architecture}: use `recipe: modern`")


def complete(values: Mapping[str, Any]) -> Recipe:
    """A recipe with the defaults for what `values` leave out."""
    defaults = published()["defaults"]
    parts = {part: defaults[part] | values.get(part, {}) for part in PARTS}
    return Recipe.model_validate({**defaults, **values, **parts})
