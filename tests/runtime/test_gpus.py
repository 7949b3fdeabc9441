"""Runs side by side have GPUs of their own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime import gpus
from ilsvrc_replay.runtime.gpus import VISIBLE, Cards
from ilsvrc_replay.runtime.launcher import Launcher, default_jobs


def test_gpus_are_handed_out_in_groups_and_shared_only_when_all_are_taken() -> None:
    hand = Cards(list("01234"), 2)
    with hand.taken() as first, hand.taken() as second:
        assert [first, second] == [{VISIBLE: "0,1"}, {VISIBLE: "2,3"}]
        with hand.taken() as third:
            assert third == first
    with hand.taken() as again:
        assert again == first


def test_without_enough_gpus_nothing_is_said_to_a_stage() -> None:
    for hand in (Cards([], 1), Cards(["0"], 2)):
        with hand.taken() as environment:
            assert environment == {}


def test_the_gpus_are_those_that_this_process_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv(VISIBLE, raising=False)
    assert gpus.find(Compute()).groups == [["0"], ["1"]]
    assert gpus.find(Compute(devices=2)).groups == [["0", "1"]]
    monkeypatch.setenv(VISIBLE, "6,GPU-7")
    assert gpus.find(Compute(device="cuda")).groups == [["6"], ["GPU-7"]]
    assert gpus.find(Compute(device="cpu")).groups == []


def test_there_are_as_many_runs_at_once_as_gpus_or_one_more_than_the_cores_carry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert default_jobs(Compute(), Cards(list("0123"), 1)) == 4
    assert default_jobs(Compute(threads=2), Cards([], 1)) == 5
    assert default_jobs(Compute(threads=2, devices=2), Cards([], 2)) == 3


def test_runs_at_once_see_a_gpu_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stage = {"matrix": {"run": ["a", "b"]}, "cmd": f"echo ${VISIBLE} > ${{key}} && sleep 3"}
    with (tmp_path / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": {"train": stage | {"outs": ["${key}"]}}}, file)
    launcher = Launcher(2, Cards(["5", "6"], 1))
    launcher.groups, launcher.trainings = {"a": ["train@a"], "b": ["train@b"]}, {"a", "b"}
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(launcher.do, ["a", "b"]))
    assert sorted((tmp_path / name).read_text().strip() for name in "ab") == ["5", "6"]
