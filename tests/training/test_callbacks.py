"""Callbacks of the user's: named in params.yaml, run by both engines, and part of what decides a result."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_study
from pytorch_lightning import Callback
from safetensors.torch import save

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.check import check_callbacks
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime import checkpoint
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.loop import Loop
from ilsvrc_replay.training.module import Classifier

SOURCE = """
import torch
from pytorch_lightning import Callback

from my_noise import SCALE


class Noise(Callback):
    \"\"\"Shakes the weights at the end of every epoch.\"\"\"

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)

    def on_train_epoch_end(self, trainer, pl_module):
        with torch.no_grad():
            for parameter in pl_module.net.parameters():
                parameter += SCALE * torch.randn(parameter.shape, generator=self.generator)

    def state_dict(self):
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state_dict):
        self.generator.set_state(state_dict["generator"])


class Stop(Callback):
    def __init__(self, step):
        self.step = step

    def on_train_start(self, trainer, pl_module):
        trainer.should_stop = self.step == 0

    def on_train_batch_end(self, trainer, pl_module, *_):
        trainer.should_stop = pl_module.step == self.step


class NoCallback:
    pass
"""
EARLY = "pytorch_lightning.callbacks.EarlyStopping"
AVERAGING = "pytorch_lightning.callbacks.StochasticWeightAveraging"


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with callbacks of the user's, as a checkout is."""
    (tmp_path / "my_callbacks.py").write_text(SOURCE)
    (tmp_path / "my_noise.py").write_text("SCALE = 0.01\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def trained(
    study: Study, packed: Packed, engine: str = "fabric", *callbacks: Callback, state: dict | None = None
) -> tuple[bytes, list, fit.Job]:
    run = resolve(study, "net")
    compute = Compute(**run.compute.model_dump() | {"engine": engine})
    job = fit.set_up(run.model_copy(update={"compute": compute}), 0, packed)
    net = fit.run(job, callbacks, state)
    return save({name: tensor.contiguous() for name, tensor in net.state_dict().items()}), job.module.curve, job


def test_both_engines_run_them_and_the_record_tells_of_them(packed: Packed) -> None:
    plain = make_study("zfnet", epochs=1.2)
    shaken = make_study("zfnet", epochs=1.2, callbacks={"my_callbacks.Noise": {"seed": 3}})
    made = [trained(shaken, packed, engine) for engine in ("fabric", "trainer")]
    assert made[0][:2] == made[1][:2]
    assert made[0][0] != trained(plain, packed)[0]
    assert made[0][0] != trained(make_study("zfnet", epochs=1.2, callbacks={"my_callbacks.Noise": None}), packed)[0]
    assert made[0][2].record["callbacks"] == {"my_callbacks.Noise": {"seed": 3}}


def test_early_stopping_ends_both_engines_at_the_same_step(packed: Packed) -> None:
    values = {"lr": 1e-9, "epochs": 5.0, "callbacks": {EARLY: {"monitor": "val_top1_err", "patience": 2}}}
    curve, other = (trained(make_study("zfnet", **values), packed, engine)[1] for engine in ("fabric", "trainer"))
    assert curve == other
    assert len(curve) == 3, "of five"


def test_a_training_killed_as_early_stopping_ends_it_trains_no_further(
    packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    values = {"lr": 1e-9, "epochs": 5.0, "callbacks": {EARLY: {"monitor": "val_top1_err", "patience": 2}}}
    whole = trained(make_study("zfnet", **values), packed)[:2]

    class KilledAtTheThirdValidation(Callback):
        def on_validation_end(self, trainer: Loop, pl_module: Classifier) -> None:
            if len(pl_module.curve) == 3:
                kept.be_told(signal.SIGTERM, None)

    with pytest.raises(SystemExit), checkpoint.claimed("net-0", "mark") as kept:
        trained(make_study("zfnet", **values), packed, "fabric", kept, KilledAtTheThirdValidation())
    with checkpoint.claimed("net-0", "mark") as kept:
        state = kept.load()
    assert trained(make_study("zfnet", **values), packed, "fabric", state=state)[:2] == whole


def test_a_callback_that_stops_between_validations_has_its_last_step_validated(packed: Packed) -> None:
    stopped = make_study("zfnet", epochs=4.0, callbacks={"my_callbacks.Stop": {"step": 40}})
    made = [trained(stopped, packed, engine)[:2] for engine in ("fabric", "trainer")]
    assert made[0] == made[1]
    assert [row["step"] for row in made[0][1]] == [34, 40]


@pytest.mark.parametrize("engine", ["fabric", "trainer"])
def test_a_training_without_a_step_is_an_error(packed: Packed, engine: str) -> None:
    stopped = make_study("zfnet", epochs=4.0, callbacks={"my_callbacks.Stop": {"step": 0}})
    with pytest.raises(StudyError, match=r"entries\.net\.callbacks: one stopped the training before its first step"):
        trained(stopped, packed, engine)


def test_what_needs_the_trainer_says_so_and_runs_on_it(packed: Packed) -> None:
    averaged = make_study(
        "zfnet", epochs=4.0, callbacks={AVERAGING: {"swa_lrs": 0.01, "swa_epoch_start": 2, "annealing_epochs": 1}}
    )
    with pytest.raises(StudyError, match=r"a callback reads trainer\.\w+, .*: set compute\.engine to trainer"):
        trained(averaged, packed)
    weights, curve, _ = trained(averaged, packed, "trainer")
    assert curve[-1]["lr"] == 0.01, "the callback's own rate"
    assert weights != trained(make_study("zfnet", epochs=4.0), packed, "trainer")[0]


def test_their_sources_and_arguments_decide(checkout: Path) -> None:
    named = make_study("zfnet", callbacks={"my_callbacks.Noise": {"seed": 1}})
    first = resolve(named, "net")
    assert first.sources.keys() == {"my_callbacks.py", "my_noise.py"}
    (checkout / "my_noise.py").write_text("SCALE = 0.02\n")
    assert resolve(named, "net").sources != first.sources
    assert resolve(make_study("zfnet", callbacks={EARLY: {"monitor": "val_loss"}}), "net").sources == {}
    assert first.callbacks == {"my_callbacks.Noise": {"seed": 1}}
    assert first.decisive["callbacks.my_callbacks.Noise.seed"] == 1


def test_an_entrys_callbacks_take_the_place_of_the_studys(study: Callable[..., Study]) -> None:
    content = study("zfnet").model_dump(exclude_unset=True)
    content["defaults"] = {"callbacks": {"my_callbacks.Noise": {"seed": 1}}}
    assert resolve(Study.model_validate(content), "net").callbacks == {"my_callbacks.Noise": {"seed": 1}}
    content["entries"]["net"]["callbacks"] = {}
    assert resolve(Study.model_validate(content), "net").callbacks == {}


@pytest.mark.parametrize(
    ("callbacks", "named"),
    [
        ({"my_callback.Noise": {}}, r"entries\.net: callbacks: my_callback\.Noise: there is no module my_callback, "),
        ({"my_callbacks.Nois": {}}, r"entries\.net: callbacks: my_callbacks has no Nois; did you mean Noise\?"),
        ({f"{EARLY}s": {}}, r"pytorch_lightning\.callbacks has no EarlyStoppings; did you mean EarlyStopping\?"),
        ({"my_callbacks.Noise": {"sed": 1}}, r"callbacks\.my_callbacks\.Noise cannot be made: .*unexpected .* 'sed'"),
        ({"my_callbacks.NoCallback": {}}, r"callbacks\.my_callbacks\.NoCallback is not a pytorch_lightning\.Callback"),
    ],
)
def test_what_is_not_there_is_named(packed: Packed, callbacks: dict, named: str) -> None:
    with pytest.raises(StudyError, match=named):
        trained(make_study("zfnet", callbacks=callbacks), packed)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"class Noise(\n", r"my_bad\.py, line 1: "),
        (b"# caf\xe9\nclass Noise: ...\n", r"my_bad\.py, line 1: invalid or missing encoding"),
        (b"class Noise: ...\0\n", r"my_bad\.py"),
    ],
)
def test_a_file_that_is_no_python_is_named_before_anything_runs(checkout: Path, content: bytes, named: str) -> None:
    (checkout / "my_bad.py").write_bytes(content)
    with pytest.raises(StudyError, match=rf"entries\.net: callbacks: .*{named}"):
        resolve(make_study("zfnet", callbacks={"my_bad.Noise": {}}), "net")


def test_what_is_no_callback_is_refused_before_anything_runs(checkout: Path) -> None:
    check_callbacks(make_study("zfnet", callbacks={"my_callbacks.Noise": {"seed": 1}}))
    with pytest.raises(StudyError, match=r"entries\.net: callbacks\.json\.JSONDecoder is not a pytorch_lightning"):
        check_callbacks(make_study("zfnet", callbacks={"json.JSONDecoder": {}}))


def test_what_a_callbacks_file_imports_decides_in_whatever_words(checkout: Path) -> None:
    package = checkout / "my_package"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__", "helpers", "other", "third", "inner/__init__", "inner/deep", "unused"):
        (package / f"{name}.py").write_text("")
    (package / "noise.py").write_text(
        "from my_package import helpers\nfrom .other import *\nfrom . import third\nimport my_package.inner.deep\n"
        "class Noise: ...\n"
    )
    found = resolve(make_study("zfnet", callbacks={"my_package.noise.Noise": {}}), "net").sources
    names = ("__init__", "helpers", "inner/__init__", "inner/deep", "noise", "other", "third")
    assert list(found) == [f"my_package/{name}.py" for name in names]
