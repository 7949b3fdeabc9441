"""Two processes on CPUs draw the same curve as one, and end together whatever happens to one of them.

They run as the stage does, in a folder of their own.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from workplace import RUN, STAGE, Workplace, same

from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import load_study
from ilsvrc_replay.recipes.resolve import resolve


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


@pytest.mark.long
@pytest.mark.parametrize("devices", [1, 2])
def test_the_trainer_told_to_stop_goes_on_after_the_last_whole_epoch_to_the_same_bytes(
    tmp_path: Path, devices: int
) -> None:
    place = Workplace(tmp_path, "alexnet", epochs=5.0, batch_size=32)
    place.write(devices=devices, engine="trainer", strategy="fsdp" if devices == 2 else "auto")
    place.run()
    made = place.made()
    for path in (tmp_path / RUN).iterdir():
        path.unlink()
    process = place.start()
    said = ""
    while " epoch 2.00" not in said:
        said += process.stdout.readline()
    process.terminate()
    said += process.communicate()[0]
    assert process.returncode == 143, said
    assert "error: stopped; the next time it goes on after the last whole epoch" in said
    assert "Traceback" not in said
    assert place.is_quiet()
    assert "net-0  going on after step " in place.run()
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
