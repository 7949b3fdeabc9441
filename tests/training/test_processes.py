"""Two processes on CPUs draw the same curve as one, and end together whatever happens to one of them.

They run as the stage does, in a folder of their own.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import make_study
from place import Place
from ruamel.yaml import YAML
from safetensors.torch import load_file

from ilsvrc_replay.datasets import digits
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import load_study
from ilsvrc_replay.prepare import pack_arrays
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit

ROOT = Path(__file__).parents[2]
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

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        return super().start(*(command or (sys.executable, *STAGE)), **environment)

    def made(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / RUN).iterdir()}


def same(place: Workplace, packed: Packed, said: str) -> None:
    """Asserts that what two processes made is what one makes, to 1e-4; of the errors, to one image whose scores tie."""
    assert said.count("net-0  epoch") == fit.CHECKS, "one process alone reports"
    job = fit.set_up(resolve(place.study, "net"), 0, packed)
    net = fit.run(job)
    with (place.folder / RUN / "curves.csv").open() as file:
        curve = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert len(curve) == len(job.module.curve) == fit.CHECKS
    for made, wanted in zip(curve, job.module.curve, strict=True):
        for name in wanted:
            slack = 100 / len(packed.labels("val")) if name.endswith("_err") else 0
            assert made[name] == pytest.approx(wanted[name], rel=0, abs=slack + 1e-4), name
    weights = load_file(place.folder / RUN / "weights.safetensors")
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(weights[name], tensor, rtol=0, atol=5e-3)  # one step of AdamW at this rate
    record = json.loads((place.folder / RUN / "training.json").read_text())
    assert record["compute"]["devices"] == 2
    assert record["steps"] == job.record["steps"]


def test_two_processes_draw_the_curve_of_one_and_as_many_images_are_tested(tmp_path: Path, packed: Packed) -> None:
    place = Workplace(tmp_path, "googlenet")
    same(place, packed, place.run())
    assert place.is_quiet()
    study = load_study(tmp_path / "params.yaml")
    assert study.compute.devices == 2
    metrics = evaluate(resolve(study, "net"), packed, tmp_path / RUN, tmp_path / "net-0.npz")
    assert metrics["single_crop"]["images"] == len(packed.labels("test")) == 500


@pytest.mark.long
@pytest.mark.parametrize(
    ("architecture", "entry"),
    [
        ("alexnet", {"average": "ema", "clip": 1.0}),
        ("zfnet", {"average": "polyak", "optimizer": "rmsprop", "lr": 0.0005}),
        ("vgg16", {"optimizer": "nesterov", "lr": 0.003, "label_smoothing": 0.1, "compact": 2}),
    ],
)
def test_two_processes_draw_the_curve_of_one_by_every_recipe(
    tmp_path: Path, packed: Packed, architecture: str, entry: dict
) -> None:
    place = Workplace(tmp_path, architecture, **entry)
    same(place, packed, place.run())


@pytest.mark.long
def test_torchrun_and_slurm_give_the_same_bytes(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "alexnet")
    place.run()
    made = place.made()
    place.run(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", *STAGE)
    assert place.made() == made
    tasks = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0"}
    tasks |= {"SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "localhost"}
    for path in (tmp_path / RUN).iterdir():
        path.unlink()
    processes = [place.start(SLURM_PROCID=number, SLURM_LOCALID=number, **tasks) for number in "01"]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert place.made() == made


@pytest.mark.long
@pytest.mark.parametrize(
    ("whose", "number", "code"),
    [(0, signal.SIGTERM, 143), (0, signal.SIGINT, 130), (0, signal.SIGKILL, -9), (1, signal.SIGKILL, 1)],
)
def test_a_training_that_loses_a_process_ends_and_goes_on_to_the_same_bytes(
    tmp_path: Path, whose: int, number: signal.Signals, code: int
) -> None:
    place = Workplace(tmp_path, "alexnet", average="ema")
    place.run()
    made = place.made()
    for path in (tmp_path / RUN).iterdir():
        path.unlink()
    process = place.start(REPLAY_KEEP_SECONDS="0")
    said = ""
    while " epoch " not in said:
        said += process.stdout.readline()
    os.kill([process.pid, *(other for other in place.processes() if other != process.pid)][whose], number)
    said += process.communicate()[0]
    assert process.returncode == code, said
    assert "Traceback" not in said
    if whose:
        assert said.count("error: process 2 of 2 was ended by SIGKILL; run it again to go on from what was kept") == 1
    assert place.is_quiet()
    assert not list((tmp_path / RUN).glob("*")), "nothing half-made"
    assert "net-0  going on after step" in place.run()
    assert place.made() == made


HANGS = """
import os, sys, time
if "REPLAY_FOLLOWS" in os.environ:
    sys.exit(3)
from ilsvrc_replay.input.world import World
from ilsvrc_replay.training import processes
with processes.together(World(0, 2)):
    time.sleep(600)
"""


@pytest.mark.long
def test_a_process_that_would_wait_for_a_lost_one_for_ever_ends(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "alexnet")
    (tmp_path / "hangs.py").write_text(HANGS)
    said = place.run(sys.executable, "hangs.py", code=1)
    assert said == "error: process 2 of 2 ended with status 3; run it again to go on from what was kept\n"
    assert place.is_quiet()


@pytest.mark.long
def test_a_training_that_diverges_says_so_once(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "alexnet", lr=1e6, epochs=1.0)
    said = place.run(code=1)
    assert said.count("error: the loss is not a number any more at step") == 1
    assert "Traceback" not in said
    assert place.is_quiet()
    assert not (tmp_path / RUN / "weights.safetensors").exists()
