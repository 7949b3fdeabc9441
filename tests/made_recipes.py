"""Recipes, schedules and crops of a few values, the rest as recipes.yaml has them by default."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ilsvrc_replay.recipes.catalogue import complete
from ilsvrc_replay.run import Crop, Recipe, Schedule


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as params.yaml has them, where some are schedules or crops."""
    return {key: value.model_dump() if isinstance(value, BaseModel) else value for key, value in values.items()}


def recipe(**values: Any) -> Recipe:
    return complete(plain(values))


def schedule(kind: str, **values: Any) -> Schedule:
    return complete({"schedule": {"kind": kind, **values}}).schedule


def crop(kind: str = "whole", **values: Any) -> Crop:
    return complete({"crop": {"kind": kind, **values}}).crop
