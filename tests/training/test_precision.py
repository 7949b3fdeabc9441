"""Half precision: asked for by name, told in the record, and no part of the default."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from made_recipes import schedule
from torch import nn

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.layers.blocks import LocalResponseNorm
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Compute
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.loop import Loop, Metrics


def computed(study: Study, **values: object) -> Study:
    return study.model_copy(update={"compute": Compute(device="cpu", threads=1, **values)})


@pytest.fixture(scope="module")
def trained(study: Callable[..., Study], packed: Packed) -> dict[str, fit.Job]:
    jobs = {}
    for precision in ("fp32", "bf16"):
        jobs[precision] = fit.set_up(
            resolve(computed(study("zfnet", epochs=1.0, lr=0.002), precision=precision), "net"), 0, packed
        )
        fit.run(jobs[precision])
    return jobs


def test_bfloat16_trains_as_well_and_to_other_weights(trained: dict[str, fit.Job]) -> None:
    full, half = (trained[name].module for name in ("fp32", "bf16"))
    assert half.curve[-1]["val_top1_err"] < 45 < half.curve[0]["val_top1_err"] + 10
    assert half.curve[-1]["train_loss"] == pytest.approx(full.curve[-1]["train_loss"], rel=0.2)
    weights = [dict(module.net.state_dict()) for module in (full, half)]
    assert all(tensor.dtype == torch.float32 for tensor in weights[1].values())
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_record_tells_of_it(trained: dict[str, fit.Job]) -> None:
    assert [trained[name].record["compute"]["precision"] for name in ("fp32", "bf16")] == ["fp32", "bf16"]


def test_validation_is_in_full_precision(trained: dict[str, fit.Job]) -> None:
    job = trained["bf16"]
    net = job.module.net.eval()
    with torch.no_grad():
        ((images, labels),) = job.data.validation
        loss = nn.functional.cross_entropy(net(images), labels).item()
        with torch.autocast("cpu", torch.bfloat16):
            rounded = nn.functional.cross_entropy(net(images), labels).item()
    assert job.module.curve[-1]["val_loss"] == pytest.approx(loss, abs=1e-6)
    assert rounded != pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("clip", [None, 0.5])
def test_float16_descends_the_scaled_loss_and_clips_the_true_gradient(
    study: Callable[..., Study], packed: Packed, clip: float | None
) -> None:
    """As on a GPU, but for the kernels: one step moves the weights as far as it does in full precision."""
    moved = {}
    for precision in ("32-true", "16-mixed"):
        plain = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "schedule": schedule(kind="constant")}
        job = fit.set_up(resolve(study("zfnet", lr=1e-3, clip=clip, **plain), "net"), 0, packed)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        plugin = MixedPrecision("16-mixed", "cpu", scaler) if precision == "16-mixed" else Precision()
        fabric = Fabric(accelerator="cpu", devices=1, plugins=[plugin], loggers=Metrics())
        fabric.launch()
        job.module.scaled = precision == "16-mixed"
        loop = Loop(fabric, job.module, job.data, job.interval)
        before = [parameter.detach().clone() for parameter in job.module.net.parameters()]
        loop.take_step(next(iter(job.data.training)), 0)
        moved[precision] = torch.cat(
            [(now - then).flatten() for now, then in zip(job.module.net.parameters(), before, strict=True)]
        )
        assert (loop.dump_checkpoint()["precision"] != {}) == (precision == "16-mixed")
    assert moved["16-mixed"].norm().item() == pytest.approx(moved["32-true"].norm().item(), rel=0.02)
    assert not torch.equal(moved["16-mixed"], moved["32-true"])
    if clip:
        assert moved["16-mixed"].norm().item() == pytest.approx(1e-3 * clip, rel=0.01)


def test_response_normalisation_is_computed_in_full_precision() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 8, 4, 4)
    norm = LocalResponseNorm(k=1.0)
    assert norm(images.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(norm(images.bfloat16()), norm(images.bfloat16().float()).bfloat16(), rtol=0, atol=0)


def test_what_a_cpu_cannot_do_is_refused(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"compute\.precision is fp16, which CPUs do not train in: use bf16 or fp32"):
        fit.set_up(resolve(computed(study("zfnet"), precision="fp16"), "net"), 0, packed)
