"""ILSVRC Replay: the ImageNet challenge's history, rerun as one reproducible experiment.

Its rooms, folders and single files; each imports from those before it alone:

errors, metrics, statistics, files, device, run, search, papers,
packed, input, layers, nets, models, training, runtime,
originals, datasets, prepare, evaluation,
yaml_text, params, recipes, claims, leaderboard, page,
tools, commands, cli
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Nothing here reports usage; these must be set before the libraries are imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ilsvrc_replay.tools.api import Job, Study, StudyError, architectures, build, load_run, load_study, train

__all__ = ["Job", "Study", "StudyError", "architectures", "build", "load_run", "load_study", "train"]


def __getattr__(name: str) -> Any:
    """What `tools.api` offers, loaded at its first use: a stage, and `replay`, start without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.tools.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
