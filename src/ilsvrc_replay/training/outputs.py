"""Files the three things that a finished run leaves: its weights, its curve and its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from ilsvrc_replay import files
from ilsvrc_replay.run import CURVE, CURVE_COLUMNS, RECORD, WEIGHTS


def write(folder: Path, net: nn.Module, curve: list[dict[str, float]], record: dict[str, Any]) -> dict[str, Any]:
    """Write the three files of a run into `folder`, each whole or not at all; returns the full record."""
    write_weights(folder / WEIGHTS, net)
    files.write_text(folder / CURVE, files.as_csv(curve, CURVE_COLUMNS))
    record = {**record, "final": curve[-1], "weights_sha256": files.sha256(folder / WEIGHTS)}
    files.write_json(folder / RECORD, record)
    return record


def write_weights(path: Path, net: nn.Module) -> None:
    with files.whole_file(path) as partial:
        partial.write_bytes(save({name: tensor.contiguous().cpu() for name, tensor in net.state_dict().items()}))
