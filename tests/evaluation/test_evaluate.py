from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ilsvrc_replay import metrics
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.files import sha256
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import CURVE, WEIGHTS
from ilsvrc_replay.training import fit, outputs


@pytest.fixture(scope="module")
def trained(
    study: Callable[..., Study], packed: Packed, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Study, Path]:
    made, folder = study("alexnet", epochs=2.0, lr=0.001), tmp_path_factory.mktemp("run")
    job = fit.set_up(resolve(made, "net"), 0, packed)
    outputs.write(folder, fit.run(job), job.module.curve, job.record)
    return made, folder


def test_predictions_cover_every_test_image_once(trained: tuple[Study, Path], packed: Packed, tmp_path: Path) -> None:
    study, folder = trained
    predictions = tmp_path / "net-0.npz"
    metrics = evaluate(resolve(study, "net"), packed, folder, predictions)
    saved = np.load(predictions)
    assert saved["single_crop"].shape == (500, 10)
    assert saved["single_crop"].dtype == np.float32
    np.testing.assert_allclose(saved["single_crop"].sum(1), 1, atol=1e-5)
    assert np.array_equal(saved["labels"], packed.labels("test"))
    assert saved["weights_sha256"].item() == sha256(folder / WEIGHTS)
    wrong = (saved["single_crop"].argmax(1) != saved["labels"]).mean()
    assert metrics["single_crop"]["top1_err"] == pytest.approx(100 * wrong)
    assert metrics["single_crop"]["top1_err"] < 30
    assert metrics["single_crop"]["images"] == 500


def test_other_images_have_their_own_labels(trained: tuple[Study, Path], packed: Packed, tmp_path: Path) -> None:
    study, folder = trained
    evaluation = study.evaluation.model_copy(update={"protocols": ["validation_images", "training_images@100"]})
    study = study.model_copy(update={"evaluation": evaluation})
    metrics = evaluate(resolve(study, "net"), packed, folder, tmp_path / "net-0.npz")
    with (folder / CURVE).open() as curve:
        last = list(csv.DictReader(curve))[-1]
    assert metrics["validation_images"]["top1_err"] == float(last["val_top1_err"])
    assert metrics["validation_images"]["images"] == len(packed.labels("val"))
    assert metrics["training_images@100"]["images"] == 100
    saved = np.load(tmp_path / "net-0.npz")
    assert np.array_equal(saved["validation_labels"], packed.labels("val"))
    assert "labels" not in saved


def test_the_batch_size_changes_no_error_and_the_time_no_byte(
    trained: tuple[Study, Path], packed: Packed, tmp_path: Path
) -> None:
    study, folder = trained
    first = evaluate(resolve(study, "net"), packed, folder, tmp_path / "a.npz")
    time.sleep(2.1)  # a zip file counts time in steps of two seconds
    evaluate(resolve(study, "net"), packed, folder, tmp_path / "b.npz")
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")
    other = study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"batch_size": 37})})
    assert evaluate(resolve(other, "net"), packed, folder, tmp_path / "c.npz") == first


def test_damaged_and_foreign_weights_are_refused(trained: tuple[Study, Path], packed: Packed, tmp_path: Path) -> None:
    study, folder = trained
    shutil.copytree(folder, tmp_path / "damaged")
    damaged = tmp_path / "damaged" / WEIGHTS
    damaged.write_bytes(damaged.read_bytes()[:-100])
    wider = study.model_copy(update={"entries": {"net": study.entries["net"].model_copy(update={"width": 0.25})}})
    for run, tested, reason in (
        (tmp_path / "damaged", study, "does not hold this net's weights"),
        (folder, wider, "does not hold"),
        (tmp_path / "none", study, "is missing: run `dvc repro train` first"),
    ):
        with pytest.raises(StudyError, match=reason):
            evaluate(resolve(tested, "net"), packed, run, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_top_k_error() -> None:
    table = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.35, 0.25], [float("nan"), 0.0, 1.0]])
    labels = torch.tensor([0, 0, 1, 2])
    assert metrics.error(table, labels, 1) == 75.0
    assert metrics.error(table, labels, 2) == 50.0
    assert metrics.error(table[:3], labels[:3], 5) == 0.0


def test_evaluation_needs_no_lightning(trained: tuple[Study, Path], packed: Packed, tmp_path: Path) -> None:
    run, folder = resolve(trained[0], "net"), trained[1]
    (tmp_path / "run.json").write_text(run.model_dump_json())
    code = f"""
import sys
sys.modules |= dict.fromkeys(("lightning", "lightning_fabric", "pytorch_lightning"))  # None refuses an import
from pathlib import Path
from ilsvrc_replay.evaluation.evaluate import evaluate
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.run import load_run
run, packed = load_run(Path("{tmp_path}/run.json")), packed_data.load(Path("{packed.folder}"))
print(evaluate(run, packed, Path("{folder}"), Path("{tmp_path}/fresh.npz")))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert said.stdout == f"{evaluate(run, packed, folder, tmp_path / 'here.npz')}\n"
