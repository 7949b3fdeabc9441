"""ILSVRC Replay: the ImageNet challenge's history, rerun as one reproducible experiment.

Its rooms, folders and single files; each imports from those before it alone:

errors, metrics, statistics, files, device, run, papers,
packed, input, layers, nets, models, training, runtime,
originals, datasets, prepare, evaluation,
params, recipes, claims, leaderboard, page,
tools, commands, cli
"""

import os

# Nothing here reports usage; these must be set before the libraries are imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

__version__ = "0.1.0"
