"""A GPU computes what the CPU computes, deterministically where it is asked to, and is never waited for.

On the CPU these tests are a rehearsal: it is compared with itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from conftest import make_study
from made_recipes import crop
from pytorch_lightning import Callback
from safetensors.torch import save, save_file
from torch import nn
from typer.testing import CliRunner
from waits import Waits
from workplace import Workplace, same

from ilsvrc_replay.commands import app
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.files import read_csv
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.runtime import checkpoint
from ilsvrc_replay.training import fit, pretrained

Tell = Callable[[str, str], None]
STEPS = 10
REHEARSED = ("alexnet", "googlenet", "resnet18")
NETS = (
    *REHEARSED, "zfnet", "vgg16", "bn_inception", "inception_v3", "resnet50", "inception_v4", "inception_resnet_v2",
    "resnext50_32x4d", "densenet121", "mobilenet_v1", "mobilenet_v2",
)  # fmt: skip
NOISE = {"crop": crop(kind="area"), "flip": True, "photometric": 0.4, "pca_colour": 0.1, "dropout": 0.5}
HARD = {"epochs": 1.0, "average": "ema", "clip": 1.0, **NOISE}


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> str:
    """The CPU, on which `make test` rehearses these tests, and the GPU, on which `make test-gpu` runs them."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return request.param


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str, str], None]:
    """Takes a row of the table: what was looked at, and what was measured."""
    return lambda what, measured: record_property("row", f"| {what} | {measured} |")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Trainings set these for their process."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False


def on(study: Study, device: str, **compute: object) -> Study:
    values = study.compute.model_dump() | {"device": device} | compute
    return study.model_validate(study.model_dump(exclude_unset=True) | {"compute": values})


def set_up(packed: Packed, device: str, architecture: str, compute: dict | None = None, **entry: object) -> fit.Job:
    return fit.set_up(resolve(on(make_study(architecture, **entry), device, **compute or {}), "net"), 0, packed)


def weights(net: nn.Module) -> bytes:
    return save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})


def apart(made: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    """The norm of the difference of all, as a share of the norm."""
    made, wanted = (torch.cat([tensor.detach().double().cpu().flatten() for tensor in them]) for them in (made, wanted))
    return ((made - wanted).norm() / wanted.norm()).item()


def computed(packed: Packed, device: str, architecture: str) -> tuple[list, list, torch.Tensor]:
    """In fp32 of 24 bits: the outputs for one batch, the gradients, and the losses of ten steps."""
    plain = {"optimizer": "sgd", "momentum": 0.0, "lr": 1e-3, "dropout": 0.0, "epochs": 1.0}
    job = set_up(packed, device, architecture, {"deterministic": False}, **plain)
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        loop, batches = fit.start(job), iter(job.data.training)
        images, labels = next(batches)
        outputs = job.module.net(images)
        outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
        job.module.loss(tuple(outputs), labels)[1].backward()
        gradients = [parameter.grad.clone() for parameter in job.module.net.parameters()]
        job.module.zero_grad()
        for number in range(STEPS):
            loop.take_step(next(batches), number)
        return outputs, gradients, torch.stack(job.module.losses)


ON_GPU = [pytest.param("cuda", name, marks=pytest.mark.gpu) for name in NETS]


@pytest.mark.parametrize(("device", "architecture"), [*(("cpu", name) for name in REHEARSED), *ON_GPU])
def test_a_net_computes_what_it_does_on_the_cpu(device: str, architecture: str, packed: Packed, tell: Tell) -> None:
    made, wanted = (computed(packed, name, architecture) for name in (device, "cpu"))
    outputs, gradients = apart(made[0], wanted[0]), apart(made[1], wanted[1])
    losses = apart([made[2]], [wanted[2]])
    figures = f"outputs {outputs:.1e}, gradients {gradients:.1e}, losses of {STEPS} steps {losses:.1e}"
    tell(f"`{architecture}` against the CPU in fp32, relative", figures)
    assert outputs < 1e-4
    assert gradients < 1e-2  # of deep nets with batch normalisation
    assert losses < 1e-2


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_draws_the_curve_of_full_precision(
    device: str, precision: str, packed: Packed, tell: Tell
) -> None:
    if device == "cpu" and precision == "fp16":
        pytest.skip("CPUs do not train in fp16")
    curves = {}
    for name in ("fp32", precision):
        job = set_up(packed, device, "zfnet", {"precision": name}, epochs=2.0, lr=0.002)
        fit.run(job)
        curves[name] = job.module.curve[-1]
    loss, full = curves[precision]["train_loss"], curves["fp32"]["train_loss"]
    tell(f"loss of `zfnet` after two epochs in {precision}", f"{loss:.3f}, in fp32 {full:.3f}")
    assert loss == pytest.approx(full, rel=0.5, abs=0.05)  # from 2.3; each machine rounds in its way
    assert abs(curves[precision]["val_top1_err"] - curves["fp32"]["val_top1_err"]) < 10


@pytest.mark.parametrize("engine", ["fabric", "trainer"])
@pytest.mark.parametrize("architecture", ["alexnet", "googlenet", "resnet18"])
def test_deterministic_trainings_end_in_the_same_bytes(
    device: str, architecture: str, engine: str, packed: Packed, tell: Tell
) -> None:
    made = []
    for name in ("fabric", engine):
        torch.manual_seed(len(made))
        made.append(weights(fit.run(set_up(packed, device, architecture, {"engine": name}, **HARD | {"epochs": 0.3}))))
    tell(f"`{architecture}` twice, the second time by the engine {engine}", "the same bytes")
    assert made[0] == made[1]


class Killed(BaseException):
    """What no code catches, as a SIGKILL."""


class KillAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: object, pl_module: object, *_: object) -> None:
        if pl_module.step == self.step:
            raise Killed


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_killed_training_ends_in_the_same_bytes(
    device: str, precision: str, packed: Packed, tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if device == "cpu" and precision == "fp16":
        pytest.skip("CPUs do not train in fp16")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv(checkpoint.EVERY, "0")
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)

    def train(*callbacks: Callback) -> bytes:
        job = set_up(packed, device, "alexnet", {"precision": precision}, **HARD | {"epochs": 0.5})
        with checkpoint.claimed("net-0", "mark") as kept:
            return weights(fit.run(job, [*callbacks, kept], kept.load()))

    whole = train()
    for step in (3, 9):
        with pytest.raises(Killed):
            train(KillAt(step))
    tell(f"`alexnet` in {precision} killed twice and gone on with", "the same bytes")
    assert train() == whole


@pytest.mark.parametrize(
    "recipe", [{}, HARD, {"average": "polyak", "optimizer": "rmsprop"}], ids=["plain", "hard", "rms"]
)
def test_no_step_waits_for_the_device(device: str, recipe: dict, packed: Packed, tell: Tell) -> None:
    job = set_up(packed, device, "googlenet", {"deterministic": False}, **{"epochs": 1.0} | recipe)
    loop, batches = fit.start(job), iter(job.data.training)
    job.module.step = job.module.steps // 2
    for number in range(3):
        loop.take_step(next(batches), number)
    with Waits() as waits:
        loop.take_step(next(batches), 3)
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        for number in range(4, 8):
            loop.take_step(next(batches), number)
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")
    tell(f"four steps of `googlenet` with {', '.join(recipe) or 'the modern recipe'}", "never waited for")
    assert waits.seen == []


def test_weights_of_a_file_are_tested_alike(device: str, packed: Packed, tell: Tell, tmp_path: Path) -> None:
    save_file(fit.run(set_up(packed, "cpu", "resnet18", epochs=1.0)).state_dict(), tmp_path / "mine.safetensors")
    mine = make_study("resnet18", recipe="pretrained", weights=str(tmp_path / "mine.safetensors"))
    errors = []
    for name in ("cpu", device):
        run = resolve(on(mine, name), "net")
        pretrained.write(tmp_path / "run", *pretrained.set_up(run, 0, packed))
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            errors.append(evaluate(run, packed, tmp_path / "run", tmp_path / "p.npz")["single_crop"]["top1_err"])
    tell("test error of `resnet18`'s weights", f"{errors[1]:.2f} %, on the CPU {errors[0]:.2f} %")
    assert errors[1] == pytest.approx(errors[0], abs=2 * 100 / 500 + 1e-6)  # two images whose scores tie
    assert errors[0] < 60


def test_the_bench_measures(
    device: str, packed: Packed, tell: Tell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/packed").mkdir(parents=True)
    Path("data/packed/digits").symlink_to(packed.folder)
    study = on(
        make_study("alexnet", width=0.125 if device == "cpu" else 1.0, batch_size=64), device, deterministic=False
    )
    Path("params.yaml").write_text(study.model_dump_json(exclude_unset=True))  # JSON is YAML
    asked = ["bench", "net", "--no-loaders", "--seconds", "0.3" if device == "cpu" else "2", "--output", "bench.csv"]
    CliRunner().invoke(app, [*asked, "--rounds", "1" if device == "cpu" else "5"], catch_exceptions=False)
    (row,) = read_csv(Path("bench.csv"))
    share = float(row["loop_share"])
    tell("`alexnet`, 32 px, the loop", f"{float(row['loop_images_per_s']):,.0f} images/s, {share:.0%} of the ceiling")
    assert row["device"] == device
    assert share > (0.3 if device == "cpu" else 0.8)  # on a busy machine


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs")
def test_two_gpus_draw_the_curve_of_one(packed: Packed, tell: Tell, tmp_path: Path) -> None:
    place = Workplace(tmp_path, "resnet18")
    place.write(device="cuda", devices=2)
    same(place, packed, place.run(), "cuda", 1e-2)
    tell("`resnet18` on two GPUs over NCCL", "the curve of one")


IMPORTS = """
import sys
from ilsvrc_replay import cli
from ilsvrc_replay.runtime import checkpoint, live, progress
from ilsvrc_replay.tools import api
print(*sys.modules)
"""


def test_training_loads_no_library_of_the_pipeline() -> None:
    """A machine that only trains needs neither DVC nor MLflow."""
    loaded = subprocess.check_output([sys.executable, "-c", IMPORTS], text=True).split()
    assert "ilsvrc_replay.training.fit" in loaded
    assert not {"dvc", "mlflow"} & set(loaded)
