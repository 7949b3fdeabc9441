from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ilsvrc_replay.evaluation.protocols import OTHER_IMAGES
from ilsvrc_replay.leaderboard import render, steps
from ilsvrc_replay.leaderboard.board import STEP_COLUMNS, Board
from ilsvrc_replay.leaderboard.build import build_board
from ilsvrc_replay.params import Study

IMAGES = 2000


def study(*names: str, **other: Any) -> Study:
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "fashion-mnist"},
            "compute": {},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500},
            "seeds": [0],
            "entries": {name: {"architecture": name} for name in names},
        }
        | other
    )


def wrong(share: float) -> np.ndarray:
    """One seed that has the first `share` of the images wrong."""
    return (np.arange(IMAGES) < share * IMAGES)[None]


def test_milestones_are_the_historys_in_its_order_whatever_the_studys() -> None:
    made = study("resnet18", "vgg19", "googlenet", "resnet50", "alexnet", "densenet121")
    assert steps.milestones(made, made.entries) == ["alexnet", "vgg19", "googlenet", "resnet50"]
    assert steps.milestones(made, ["alexnet", "resnet18"]) == ["alexnet", "resnet18"]  # what a protocol tested


def test_other_images_are_neither_a_step_nor_a_failure() -> None:
    made = study("alexnet", "vgg16")
    masks = {
        (name, "single", protocol): wrong(share)
        for name, share in (("alexnet", 0.9), ("vgg16", 0.8))
        for protocol in ("single_crop", *OTHER_IMAGES)
    }
    board = build_board(made, {}, [], masks)
    assert (
        [step["protocol"] for step in board.steps] == [order["protocol"] for order in board.orders] == ["single_crop"]
    )
    rows = [{"entry": "alexnet", "recipe": "era", "protocol": name, "top1_err": 90.0, "top1_err_high": 91.0}
            for name in ("single_crop", *OTHER_IMAGES)]  # fmt: skip
    found = render.findings(rows, {"linear_top1_err": 15.0, "chance_top1_err": 90.0})
    assert len([line for line in found if "alexnet" in line]) == 1


def test_every_step_has_its_verdict() -> None:
    names = ("alexnet", "zfnet", "vgg16", "googlenet")
    rows = steps.steps(
        study(*names),
        "single_crop",
        {"alexnet": wrong(0.2), "zfnet": wrong(0.1), "vgg16": wrong(0.1005), "googlenet": wrong(0.15)},
    )
    assert [row["verdict"] for row in rows] == ["reproduced", "not resolved", "reversed"]
    first = rows[0]
    assert tuple(first) == STEP_COLUMNS
    assert (first["before_top1_err"], first["after_top1_err"], first["change"]) == (20, 10, -10)
    assert first["change_low"] < -10 < first["change_high"] < 0
    assert first["relative_err"] == 0.5
    assert first["relative_headline"] == pytest.approx(11.7 / 16.4, abs=1e-4)
    assert first["mcnemar_p"] < 1e-10
    assert rows[1]["mcnemar_p"] == 1


def test_the_order_of_the_headlines() -> None:
    names = ("alexnet", "vgg16", "googlenet")
    errors = {"alexnet": wrong(0.3), "vgg16": wrong(0.2), "googlenet": wrong(0.1)}
    agreement = steps.order(study(*names), "single_crop", errors)
    assert (agreement["tau"], agreement["tau_low"], agreement["tau_high"]) == (1, 1, 1)
    reverse = steps.order(study(*names), "single_crop", dict(zip(names, reversed(errors.values()), strict=True)))
    assert reverse["tau"] == -1


def test_a_study_of_one_net_has_no_steps() -> None:
    alone = study("alexnet")
    assert steps.steps(alone, "single_crop", {"alexnet": wrong(0.2)}) == []
    assert steps.order(alone, "single_crop", {"alexnet": wrong(0.2)}) is None


def test_the_board_shows_steps_and_order() -> None:
    both = study("alexnet", "vgg16")
    errors = {"alexnet": wrong(0.2), "vgg16": wrong(0.1)}
    text = "\n".join(
        render.history(
            Board([], steps.steps(both, "single_crop", errors), [steps.order(both, "single_crop", errors)], [])
        )
    )
    for expected in ("| alexnet → vgg16 | single_crop | 20.00 → 10.00 | -10.00 (", "reproduced", "over 2 nets: +1.00"):
        assert expected in text
