"""What a finished run leaves: weights.safetensors, curves.csv and training.json, without times or paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from ilsvrc_replay import files

WEIGHTS, CURVES, RECORD = "weights.safetensors", "curves.csv", "training.json"


def write(folder: Path, net: nn.Module, curve: list[dict[str, float]], record: dict[str, Any]) -> dict[str, Any]:
    """Write the three files of a run into `folder`, each whole or not at all; returns the full record."""
    with files.whole_file(folder / WEIGHTS) as partial:
        partial.write_bytes(save({name: tensor.contiguous() for name, tensor in net.state_dict().items()}))
    files.write_text(folder / CURVES, files.as_csv(curve))
    record = {**record, "final": curve[-1], "weights_sha256": files.sha256(folder / WEIGHTS)}
    files.write_json(folder / RECORD, record)
    return record
