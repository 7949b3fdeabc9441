"""The callbacks that params.yaml names, made."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback

from ilsvrc_replay.errors import StudyError


def make_callbacks(arguments: Mapping[str, Mapping[str, Any]]) -> list[Callback]:
    """An object of every class that is named by its dotted path, in that order.

    Raises StudyError if one cannot be imported, is no Lightning callback, or does not take these arguments.
    """
    if arguments and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # a stage's own folder is pipelines/
    made = []
    for path, values in arguments.items():
        module, _, name = path.rpartition(".")
        try:
            callback = getattr(import_module(module), name)(**values)
        except Exception as error:  # whatever a user's code comes up with
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StudyError(f"callbacks.{path} cannot be made: {reason}") from error
        if not isinstance(callback, Callback):
            raise StudyError(f"callbacks.{path} is not a pytorch_lightning.Callback")
        made.append(callback)
    return made
