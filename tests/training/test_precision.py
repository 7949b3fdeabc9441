"""Half precision: asked for by name, told in the record, and no part of the default."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ilsvrc_replay.architectures.layers import LocalResponseNorm
from ilsvrc_replay.data.packing import Packed
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Compute, Study
from ilsvrc_replay.training import fit


def computed(study: Study, **values: object) -> Study:
    return study.model_copy(update={"compute": Compute(device="cpu", threads=1, **values)})


@pytest.fixture(scope="module")
def trained(study: Callable[..., Study], packed: Packed) -> dict[str, fit.Job]:
    jobs = {}
    for precision in ("fp32", "bf16"):
        jobs[precision] = fit.set_up(
            computed(study("zfnet", epochs=1.0, lr=0.002), precision=precision), "net", 0, packed
        )
        fit.run(jobs[precision], [])
    return jobs


def test_bfloat16_trains_as_well_and_to_other_weights(trained: dict[str, fit.Job]) -> None:
    full, half = (trained[name].module for name in ("fp32", "bf16"))
    assert half.curve[-1]["val_top1_err"] < 45 < half.curve[0]["val_top1_err"] + 10
    assert half.curve[-1]["train_loss"] == pytest.approx(full.curve[-1]["train_loss"], rel=0.2)
    weights = [dict(module.net.state_dict()) for module in (full, half)]
    assert all(tensor.dtype == torch.float32 for tensor in weights[1].values())
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_record_tells_of_it_and_the_default_record_does_not(trained: dict[str, fit.Job]) -> None:
    assert trained["fp32"].record["compute"] == {"device": "cpu", "threads": 1}
    assert trained["bf16"].record["compute"] == {"device": "cpu", "threads": 1, "precision": "bf16"}


def test_validation_is_in_full_precision(trained: dict[str, fit.Job]) -> None:
    module = trained["bf16"].module.eval()
    images, labels = next(iter(trained["bf16"].validation))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        module.validation_step((images, labels), 0)
    output, _ = module.outputs.pop()
    assert output.dtype == torch.float32


def test_response_normalisation_is_computed_in_full_precision() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 8, 4, 4)
    norm = LocalResponseNorm(k=1.0)
    assert norm(images.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(norm(images.bfloat16()), norm(images.bfloat16().float()).bfloat16(), rtol=0, atol=0)


def test_what_a_cpu_cannot_do_is_refused(study: Callable[..., Study], packed: Packed) -> None:
    with pytest.raises(StudyError, match=r"compute\.precision is fp16, which CPUs do not train in: use bf16 or fp32"):
        fit.set_up(computed(study("zfnet"), precision="fp16"), "net", 0, packed)
