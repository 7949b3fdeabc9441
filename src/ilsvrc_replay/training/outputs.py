"""What a finished run leaves: weights.safetensors, curves.csv and training.json, without times or paths."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from ilsvrc_replay import files

WEIGHTS, CURVES, RECORD = "weights.safetensors", "curves.csv", "training.json"


def write(folder: Path, net: nn.Module, curve: list[dict[str, float]], record: dict[str, Any]) -> dict[str, Any]:
    """Write the three files of a run into `folder`, each whole or not at all; returns the full record."""
    with files.whole_file(folder / WEIGHTS) as partial:
        save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, partial)
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    files.write_text(folder / CURVES, table.getvalue())
    record = {**record, "final": curve[-1], "weights_sha256": files.sha256(folder / WEIGHTS)}
    files.write_json(folder / RECORD, record)
    return record
