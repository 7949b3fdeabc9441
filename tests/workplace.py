"""A folder in which stage train runs, as DVC runs it, in one process or several."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import torch
from conftest import make_study
from place import Place
from ruamel.yaml import YAML
from safetensors.torch import load_file

from ilsvrc_replay.datasets import digits
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.prepare import pack_arrays
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Compute
from ilsvrc_replay.training import fit

ROOT = Path(__file__).parents[1]
STAGE = [str(ROOT / "pipelines/train.py"), "--entry", "net", "--seed", "0"]
HARD = {"batch_size": 33, "epochs": 0.3, "dropout": 0.5, "crop": {"kind": "pad"}}  # odd shares, masks and views
RUN = Path("runs/net-0")


class Workplace(Place):
    """A folder with packed digits and a study of one entry, in which the stage runs."""

    def __init__(self, folder: Path, architecture: str, **entry: object) -> None:
        started_by = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_", "DVC_", "MLFLOW_", "REPLAY_")
        super().__init__(folder, started_by, PYTHONPATH=str(ROOT / "src"), PYTHONUNBUFFERED="1")
        raw, target = folder / "raw", folder / "data/packed/digits"
        raw.mkdir()
        target.mkdir(parents=True)
        digits.acquire(raw, None)
        pack_arrays.pack(digits.read(raw), "digits", 32, 197, target)
        self.study = make_study(architecture, **HARD | entry)
        self.write(devices=2)

    def write(self, **compute: object) -> None:
        content = self.study.model_dump(exclude_unset=True)
        content["compute"] |= compute
        with (self.folder / "params.yaml").open("w") as file:
            YAML().dump(content, file)
        self.run(sys.executable, str(ROOT / "pipelines/resolve.py"))
        self.run(sys.executable, str(ROOT / "pipelines/tune.py"), "--entry", "net")

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        return super().start(*(command or (sys.executable, *STAGE)), **environment)

    def made(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / RUN).iterdir()}


def same(place: Workplace, packed: Packed, said: str, device: str = "cpu", within: float = 1e-3) -> None:
    """Asserts that what two processes made is what one makes, `within` so much; of the errors, to one image whose
    scores tie."""
    assert said.count("net-0  epoch") == fit.CHECKS, "one process alone reports"
    run = resolve(place.study, "net")
    job = fit.set_up(run.model_copy(update={"compute": Compute(device=device, threads=1)}), 0, packed.redrawn(0))
    net = fit.run(job)
    with (place.folder / RUN / "curves.csv").open() as file:
        curve = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert len(curve) == len(job.module.curve) == fit.CHECKS
    for made, wanted in zip(curve, job.module.curve, strict=True):
        for name in wanted:
            slack = 100 / len(packed.labels("val")) if name.endswith("_err") else 0
            assert abs(made[name] - wanted[name]) <= slack + within, f"{name}: {made[name]}, not {wanted[name]}"
    weights = load_file(place.folder / RUN / "weights.safetensors")
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1.5e-2)  # of AdamW three steps
    record = json.loads((place.folder / RUN / "training.json").read_text())
    assert record["compute"]["devices"] == 2
    assert record["steps"] == job.record["steps"]
