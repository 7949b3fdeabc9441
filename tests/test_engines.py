"""A study trains on Lightning's Trainer, sharded or not, and ends with its board like any other."""

from __future__ import annotations

import json

import pytest
from clone import Clone, stages_run
from mlflow import MlflowClient


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_study_trains_on_lightnings_trainer_in_two_processes(clone: Clone, strategy: str) -> None:
    before = clone.board()[0]
    clone.keep("alexnet")
    clone.set("evaluation.ensembles", {})
    compute = {"device": "cpu", "threads": 1, "devices": 2, "engine": "trainer", "strategy": strategy}
    clone.set("compute", compute | {"trainer": {"profiler": "simple"}})
    ran = stages_run(clone.run("dvc", "repro"))
    assert ran == ["resolve", "train@alexnet-0", "evaluate@alexnet-0", "aggregate", "page"]
    record = json.loads((clone.folder / "runs/alexnet-0/training.json").read_text())
    assert (record["compute"]["engine"], record["compute"]["strategy"]) == ("trainer", strategy)
    (row,) = clone.board()
    assert float(row["top1_err"]) == pytest.approx(float(before["top1_err"]), abs=5)
    assert stages_run(clone.run("dvc", "repro")) == ["resolve"]
    client = MlflowClient(f"sqlite:///{clone.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("miniature").experiment_id
    (run,) = client.search_runs([experiment], f"tags.weights_sha256 = '{record['weights_sha256']}'")
    assert run.data.params["compute.engine"] == "trainer"
    assert len(client.get_metric_history(run.info.run_id, "val/top1_err")) == 4
