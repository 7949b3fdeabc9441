from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ilsvrc_replay.evaluation.protocols import OTHER_IMAGES
from ilsvrc_replay.leaderboard import render, steps
from ilsvrc_replay.leaderboard.board import STEP_COLUMNS, Board
from ilsvrc_replay.leaderboard.build import build_board
from ilsvrc_replay.leaderboard.floors import trained
from ilsvrc_replay.leaderboard.judged_claims import Findings
from ilsvrc_replay.params import Entry, Study

IMAGES = 10_000
BASELINE = {"linear_top1_err": 60.0, "linear_val_top1_err": 50.0, "chance_top1_err": 90.0}


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


def wrong(*shares: float, images: int = IMAGES) -> np.ndarray:
    """Seeds that each have the first images wrong, as many as their share: (S, N). A single share stands for three
    seeds a little around it."""
    shares = (shares[0] - 0.001, shares[0], shares[0] + 0.001) if len(shares) == 1 else shares
    return np.stack([np.arange(images) < round(share * images) for share in shares])


def settled(made: Study, masks: dict[str, np.ndarray], **baseline: float) -> list[dict[str, Any]]:
    return steps.settle(made, steps.steps(made, "single_crop", masks, BASELINE | baseline))


def test_milestones_are_the_historys_in_its_order_whatever_the_studys() -> None:
    made = study("resnet18", "vgg19", "bn_inception", "googlenet", "resnet50", "alexnet", "densenet121")
    assert steps.milestones(made, made.entries) == ["alexnet", "vgg19", "googlenet", "bn_inception", "resnet50"]
    assert steps.milestones(made, ["alexnet", "resnet18"]) == ["alexnet", "resnet18"]  # what a protocol tested


def test_a_study_writes_down_its_own_steps() -> None:
    masks = {"alexnet": wrong(0.2), "vgg16": wrong(0.1), "resnet50": wrong(0.08)}
    made = study(*masks, steps=[["alexnet", "resnet50"], ["vgg16", "resnet50"]])
    assert steps.pairs(made, masks) == [("alexnet", "resnet50"), ("vgg16", "resnet50")]
    assert steps.pairs(made, ["alexnet", "vgg16"]) == []  # what a protocol tested
    assert [(row["before"], row["after"]) for row in settled(made, masks)] == steps.pairs(made, masks)


def test_other_images_are_neither_a_step_nor_a_failure() -> None:
    made = study("alexnet", "vgg16")
    masks = {
        (name, "single", protocol): wrong(share)
        for name, share in (("alexnet", 0.5), ("vgg16", 0.4))
        for protocol in ("single_crop", *OTHER_IMAGES)
    }
    board = build_board(made, {}, [], Findings(masks, BASELINE, {}.get))
    assert {step["protocol"] for step in board.steps} == {"single_crop"}
    rows = [{"entry": "alexnet", "recipe": "era", "protocol": name, "top1_err": 90.0, "top1_err_high": 91.0}
            for name in ("single_crop", *OTHER_IMAGES)]  # fmt: skip
    found = render.findings(rows, {"linear_top1_err": 15.0, "chance_top1_err": 90.0})
    assert len([line for line in found if "alexnet" in line]) == 1


def test_every_step_has_its_verdict() -> None:
    names = ("alexnet", "zfnet", "vgg16", "googlenet")
    shares = {"alexnet": 0.2, "zfnet": 0.1, "vgg16": 0.1005, "googlenet": 0.15}
    rows = settled(study(*names), {name: wrong(share) for name, share in shares.items()})
    assert [row["verdict"] for row in rows] == ["resolved, as in history", "not resolved", "resolved, reversed"]
    first = rows[0]
    assert tuple(first) == STEP_COLUMNS
    assert (first["before_top1_err"], first["after_top1_err"], first["change"]) == (20, 10, -10)
    assert (first["before_published"], first["after_published"]) == (18.2, 16.5)  # the paper's, not Clarifai's 11.7
    assert first["change_low"] < -10 < first["change_high"] < 0
    assert first["p"] < first["p_holm"] == pytest.approx(3 * first["p"], rel=0.01)
    assert [row["better"] for row in rows] == [1, pytest.approx(2.5 / 9, abs=0.12), 0]
    assert {row["mcnemar_p"] for row in rows} == {None}


@pytest.mark.parametrize(("seeds", "reason"), [((0.2,), "one seed"), ((0.2, 0.2), "two seeds")])
def test_fewer_than_three_seeds_judge_nothing(seeds: tuple[float, ...], reason: str) -> None:
    few = np.concatenate([wrong(share, share) for share in seeds])[: len(seeds)]
    (row,) = settled(study("alexnet", "vgg16"), {"alexnet": few, "vgg16": wrong(0.1)})
    assert row["verdict"] == f"not judged: {reason}"
    assert row["mcnemar_p"] < 1e-10
    assert [row[key] for key in ("change_low", "change_high", "p", "p_holm", "better")] == [None] * 5


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((0.61, 0.1), "alexnet did not train"),
        ((0.61, 0.9), "alexnet and vgg16 did not train"),
        ((0.59, 0.6), "vgg16 did not train"),
    ],
)
def test_nets_that_did_not_train_are_not_judged(shares: tuple[float, float], reason: str) -> None:
    masks = dict(zip(("alexnet", "vgg16"), map(wrong, shares), strict=True))
    (row,) = settled(study("alexnet", "vgg16"), masks)
    assert (row["verdict"], row["p"], row["p_holm"]) == (f"not judged: {reason}", None, None)
    (judged,) = settled(study("alexnet", "vgg16"), masks, linear_top1_err=95.0, chance_top1_err=99.0)
    assert judged["verdict"].startswith("resolved") or judged["verdict"] == "not resolved"


def test_a_net_at_chance_did_not_train_whatever_a_linear_classifier_does() -> None:
    masks = {"alexnet": wrong(0.895), "vgg16": wrong(0.5)}
    (row,) = settled(study("alexnet", "vgg16"), masks, linear_top1_err=99.0)
    assert row["verdict"] == "not judged: alexnet did not train"


def test_a_net_must_beat_what_is_linear_on_the_images_that_it_was_tested_on() -> None:
    floors = {"linear_top1_err": 15.0, "linear_val_top1_err": 17.0, "linear_train_top1_err": 9.0}
    protocols = ("ten_crop@5000", "validation_images", "training_images@5000")
    kept = [trained(wrong(0.16), BASELINE | floors, protocol) for protocol in protocols]
    assert kept == [False, True, False]


def test_holms_correction_is_over_the_steps_of_all_protocols() -> None:
    made = study("alexnet", "vgg16", evaluation={"protocols": ["single_crop", "ten_crop"], "batch_size": 500})
    masks = {
        (name, "single", protocol): wrong(share - 0.002, share, share + 0.002)
        for name, share in (("alexnet", 0.1055), ("vgg16", 0.1))
        for protocol in ("single_crop", "ten_crop")
    }
    both = build_board(made, {}, [], Findings(masks, BASELINE, {}.get)).steps
    assert [row["p_holm"] for row in both] == [pytest.approx(2 * row["p"], rel=0.01) for row in both]
    assert [row["verdict"] for row in both] == ["not resolved"] * 2
    alone = {key: mask for key, mask in masks.items() if key[2] == "ten_crop"}
    (row,) = build_board(made, {}, [], Findings(alone, BASELINE, {}.get)).steps
    assert row["verdict"] == "resolved, as in history"


def test_the_order_is_that_of_the_papers_single_nets() -> None:
    errors = {"alexnet": wrong(0.3), "zfnet": wrong(0.28), "googlenet": wrong(0.2), "vgg16": wrong(0.1)}
    errors |= {"resnet18": wrong(0.01), "resnet20_cifar": wrong(0.9)}  # the papers have no such net on ImageNet
    agreement = steps.order(study(*errors), "single_crop", errors, BASELINE)
    assert agreement == {
        "protocol": "single_crop",
        "tau": 1,
        "p": pytest.approx(2 / 24, abs=1e-3),
        "entries": ["alexnet", "zfnet", "googlenet", "vgg16"],
        "untrained": [],
    }
    by_headline = errors | {"zfnet": wrong(0.15)}  # Clarifai's 11.7 would put it before GoogLeNet, as here
    assert steps.order(study(*errors), "single_crop", by_headline, BASELINE)["tau"] < 1
    untrained = errors | {"zfnet": wrong(0.7)}
    agreement = steps.order(study(*errors), "single_crop", untrained, BASELINE)
    assert (agreement["untrained"], agreement["entries"]) == (["zfnet"], ["alexnet", "googlenet", "vgg16"])


def test_a_net_by_two_recipes_counts_once_in_the_order() -> None:
    errors = {"alexnet": wrong(0.2), "vgg16": wrong(0.1), "googlenet": wrong(0.15), "resnet50": wrong(0.05)}
    twice = errors | {f"{name}-era": mask for name, mask in errors.items()}
    made = study(*errors)
    both = made.model_copy(
        update={"entries": made.entries | {f"{name}-era": Entry(architecture=name) for name in errors}}
    )
    once = steps.order(made, "single_crop", errors, BASELINE)
    assert steps.order(both, "single_crop", twice, BASELINE) == once
    assert once["entries"] == list(errors)


def test_a_study_of_one_net_has_no_steps() -> None:
    alone = study("alexnet")
    assert steps.steps(alone, "single_crop", {"alexnet": wrong(0.2)}, BASELINE) == []
    assert steps.order(alone, "single_crop", {"alexnet": wrong(0.2)}, BASELINE) is None


def test_the_board_shows_steps_and_order() -> None:
    names = ("alexnet", "vgg16", "googlenet")
    errors = {"alexnet": wrong(0.2), "vgg16": wrong(0.1), "googlenet": wrong(0.15)[:1]}
    made = study(*names)
    order = steps.order(made, "single_crop", errors, BASELINE)
    text = "\n".join(render.judged(Board([], settled(made, errors), [order], [])))
    for expected in (
        "| alexnet → vgg16 | single_crop | 20.00 → 10.00 | -10.00 (",
        "| 1.00 | 18.2 → 7.5 | resolved, as in history |",
        "| vgg16 → googlenet | single_crop | 10.00 → 14.90 | +4.90 | McNemar ",
        "not judged: one seed |",
        "over 3 nets: +1.00, p = 0.33 by permutations of the nets",
    ):
        assert expected in text
