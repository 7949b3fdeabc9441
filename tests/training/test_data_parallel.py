"""The layers that look across a batch, on its parts; and runs that cannot be shared are refused by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input.world import ALONE, World
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Compute
from ilsvrc_replay.training import fit, processes
from ilsvrc_replay.training.data_parallel import share_layers


@pytest.mark.parametrize("shape", [(33, 50), (33, 8, 3, 3), (66, 5, 7)])
def test_dropout_on_the_parts_of_a_batch_is_dropout_on_the_batch(shape: tuple[int, ...]) -> None:
    whole = torch.randn(shape)
    torch.manual_seed(5)
    wanted = [layer(whole) for layer in (nn.Dropout(0.3), nn.Dropout(0.6))]
    made = []
    for rank in range(2):
        generator, rows = torch.Generator().manual_seed(5), World(rank, 2).rows(33)
        per_image = len(whole) // 33
        layers = share_layers(nn.Sequential(nn.Dropout(0.3), nn.Dropout(0.6)), World(rank, 2), 33, generator)
        torch.manual_seed(rank)
        made.append([layer(whole[per_image * rows.start : per_image * rows.stop]) for layer in layers])
        assert torch.equal(layers.eval()(whole), whole)
    for number in range(2):
        assert torch.equal(torch.cat([parts[number] for parts in made]), wanted[number])
    assert (wanted[0] == 0).any()


def test_batch_normalisation_over_processes_keeps_its_weights_and_activation() -> None:
    from timm.layers import BatchNormAct2d

    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), BatchNormAct2d(4)).eval()
    state, images = net.state_dict(), torch.randn(2, 1, 8, 8)
    wanted = net(images)
    shared = share_layers(net, World(0, 2), 2, torch.Generator())
    assert all(isinstance(layer, nn.SyncBatchNorm) for layer in list(shared)[1:])
    assert list(shared.state_dict()) == list(state)
    assert torch.equal(shared(images), wanted)


@pytest.mark.parametrize(
    ("architecture", "values", "count", "named"),
    [
        ("resnet50", {}, 2, "entries.net has batch normalisation, .* set compute.devices and compute.nodes to 1"),
        ("alexnet", {"batch_size": 2}, 3, "entries.net.batch_size is 2: that cannot be shared among 3 processes"),
        ("alexnet", {"batch_size": 256}, 200, "dataset.val_images is 197: that cannot be shared among 200 processes"),
    ],
)
def test_a_run_that_cannot_be_shared_is_refused(
    study: Callable[..., Study], packed: Packed, architecture: str, values: dict, count: int, named: str
) -> None:
    with pytest.raises(StudyError, match=named):
        fit.set_up(resolve(study(architecture, **values), "net"), 0, packed, World(0, count))


TORCHRUN = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}
SLURM = {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train"}


@pytest.mark.parametrize(
    ("compute", "environment", "named"),
    [
        ({"devices": 1000}, {}, r"compute.devices is 1000: there are \d+ CPU cores here"),
        ({"nodes": 2}, {}, "compute.nodes is 2: start the stage on every machine by torchrun or srun"),
        ({}, TORCHRUN, "torchrun started 2 processes, but compute.devices times compute.nodes is 1: make them equal"),
        ({"devices": 2}, SLURM, "SLURM started 4 processes, but compute.devices times compute.nodes is 2"),
    ],
)
def test_processes_that_are_not_there_are_refused(
    monkeypatch: pytest.MonkeyPatch, compute: dict, environment: dict, named: str
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(StudyError, match=named):
        processes.join(Compute(device="cpu", threads=1, **compute))


def test_a_process_finds_its_place_by_what_torchrun_or_slurm_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: {0, 1})
    for environment, nodes, part in ((TORCHRUN, 1, World(1, 2)), (SLURM, 2, World(3, 4))):
        with monkeypatch.context() as patch:
            for key, value in environment.items():
                patch.setenv(key, value)
            assert processes.join(Compute(device="cpu", threads=1, devices=2, nodes=nodes)) == part
            if environment is SLURM:  # a run on one device is alone in its allocation
                assert processes.join(Compute(device="cpu", threads=1)) == ALONE


def test_the_record_says_how_many_processes_there_were(study: Callable[..., Study], packed: Packed) -> None:
    run = resolve(study("alexnet"), "net")
    run = run.model_copy(update={"compute": run.compute.model_copy(update={"devices": 2})})
    job = fit.set_up(run, 0, packed, World(1, 2))
    assert job.record["compute"]["devices"] == 2
    assert "in 2 processes" in job.summary
