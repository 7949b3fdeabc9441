"""What a study found, in sentences: each says what its numbers say, and nothing that they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ilsvrc_replay.leaderboard import finding, steps, wrong_images
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.leaderboard.parts import HERE, PUBLISHED, parts
from ilsvrc_replay.page import results
from ilsvrc_replay.params import Study, load_study
from ilsvrc_replay.recipes import catalogue

ROOT = Path(__file__).parents[2]
BASELINE = {"chance_top1_err": 99.5, "linear_top1_err": 95.0}


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(ROOT / "pipelines/studies/history.yaml")


def masks(errors: dict[str, float], spread: float = 0.002, seeds: int = 3) -> dict[str, np.ndarray]:
    """Seeds whose error is about `errors`, by entry, on 10,000 images."""
    draw = np.random.default_rng(0)
    return {
        name: np.stack([draw.random(10_000) < error + spread * (seed - 1) for seed in range(seeds)])
        for name, error in errors.items()
    }


def row(entry: str, top1: float, kind: str = "single", protocol: str = "single_crop", **more: object) -> dict:
    known = {"entry": entry, "kind": kind, "protocol": protocol, "top1_err": 100 * top1, "top5_err": 50 * top1}
    return known | {"seeds": 3, "architecture": entry, "recipe": "modern", "width": 1.0, "compact": 1} | more


def found(study: Study, errors: dict[str, float], seeds: int = 3) -> list[str]:
    wrong = masks(errors, seeds=seeds)
    judged = steps.settle(study, steps.steps(study, "single_crop", wrong, BASELINE))
    order = steps.order(study, "single_crop", wrong, BASELINE)
    rows = [row(name, float(mask.mean())) for name, mask in wrong.items()]
    board = Board(rows, judged, [order] if order else [], [])
    return finding.sentences(study, board, wrong, "single_crop")


FALLING = {"alexnet": 0.8, "zfnet": 0.75, "vgg16": 0.7, "googlenet": 0.65, "bn_inception": 0.6, "resnet50": 0.5}


def test_a_history_that_falls_at_every_step(study: Study) -> None:
    fall, resolved, order = found(study, FALLING)
    assert fall.startswith("From AlexNet to ResNet-50 the error falls by 37 %: from 80.")
    assert "% top-1, and from 4" in fall
    assert resolved.startswith("All 5 steps of the history are resolved: 5 as in history. The largest fall is BN-Incep")
    assert "10." in resolved
    assert order.startswith("The order of the 6 single nets resembles their papers', which may be chance: ")


def test_a_reversed_step_is_named(study: Study) -> None:
    _, resolved, papers, _ = found(study, FALLING | {"googlenet": 0.85})
    assert "4 as in history, VGG-16 to GoogLeNet reversed." in resolved
    assert papers == (
        "For VGG-16 to GoogLeNet the papers point both ways: the ensembles of the challenge fell, the single nets rose"
        " from 7.5 to 10.07 % top-5, each tested as its paper did."
    )
    assert len(found(study, FALLING | {"zfnet": 0.85})) == 3, "ZFNet's single net errs less than AlexNet's, too"


def test_nets_alike_show_no_change(study: Study) -> None:
    fall, resolved, *_ = found(study, dict.fromkeys(FALLING, 0.7))
    assert fall.startswith("From AlexNet to ResNet-50 the error does not change measurably:")
    assert resolved == "No step of the history is resolved, of 5 judged."


def test_one_seed_judges_nothing(study: Study) -> None:
    fall, judged, _ = found(study, FALLING, seeds=1)
    assert fall.endswith("; with so few seeds that is not judged.")
    assert judged.startswith("No step of the history is judged:")


def test_nothing_is_said_of_a_fall_from_a_net_that_did_not_train(study: Study) -> None:
    first, *_ = found(study, FALLING | {"alexnet": 0.96})
    assert first.startswith("4 of 5 steps of the history are resolved: 4 as in history. The largest fall is ")
    assert "AlexNet" not in first


def test_pairs_of_ones_own_are_comparisons(study: Study) -> None:
    own = study.model_copy(update={"steps": [["alexnet", "zfnet"]]})
    sentences = found(own, FALLING)
    assert sentences[0] == "AlexNet to ZFNet is resolved, lower: −5.0 points."


def test_cards_say_what_moved_the_error(study: Study) -> None:
    rows = [
        row("alexnet", 0.80),
        row("alexnet", 0.76, protocol="ten_crop"),
        row("alexnet", 0.72, "ensemble", "ten_crop"),
        row("alexnet", 0.78, "ensemble"),
        row("alexnet-era", 0.84, architecture="alexnet", recipe="era"),
        row("alexnet-era", 0.80, "ensemble", architecture="alexnet", recipe="era"),
    ]
    fell = parts(study, rows, "top5_err")
    here = {one["part"]: one for one in fell if (one["entry"], one["series"]) == ("alexnet", HERE)}
    assert {one["entry"] for one in fell if one["series"] == PUBLISHED} == {"alexnet"}, "once for a net"
    assert [(here[part]["error"], here[part]["share"]) for part in ("net", "crops", "ensemble")] == [
        (40.0, 1.0),
        (38.0, 0.95),
        (36.0, 0.9),
    ]
    published = {one["part"]: one["error"] for one in fell if one["series"] == PUBLISHED}
    assert published == {"net": 19.8, "crops": 18.2, "ensemble": 16.4}
    crops, recipe = finding.cards(study, Board(rows, [], [], [], fell), "single_crop")
    assert crops["figure"] == "−5 %"  # 38 to 36
    assert "ensembles of more nets moved the top-5 error by −10 %" in crops["text"]  # 18.2 to 16.4
    assert "More crops than one move it by −5 % here, and by −8 % there." in crops["text"]  # 40 to 38, 19.8 to 18.2
    assert recipe["figure"] == "−4.0 points"
    assert "made for 70 epochs and more" in recipe["text"]
    shortest = min(catalogue.published()["era"].values(), key=lambda recipe: recipe["epochs"])
    assert shortest["epochs"] == 70
    wider = [one | {"width": 2.0} if one["recipe"] == "modern" else one for one in rows]
    assert finding.of_recipe(wider, "single_crop") is None, "nets of two widths"


def test_a_card_says_what_crops_and_ensembles_added(study: Study) -> None:
    rows = [row("alexnet", 0.4), row("alexnet", 0.44, protocol="ten_crop")]
    rows += [row("alexnet", 0.462, "ensemble", "ten_crop")]
    (card,) = finding.cards(study, Board(rows, [], [], [], parts(study, rows, "top5_err")), "single_crop")
    assert (card["figure"], "move it by +10 % here" in card["text"]) == ("+5 %", True)


def test_a_net_without_any_error_has_no_share_to_tell(study: Study) -> None:
    rows = [row("alexnet", 0.0), row("alexnet", 0.0, protocol="ten_crop"), row("alexnet", 0.0, "ensemble")]
    assert finding.cards(study, Board(rows, [], [], [], parts(study, rows, "top1_err")), "single_crop") == []
    rise, *_ = found(study, FALLING | {"alexnet": -0.1})
    assert rise.startswith("From AlexNet to ResNet-50 the error rises: from 0.00 to 5")


def test_the_largest_step_is_a_resolved_fall(study: Study) -> None:
    wrong = masks(FALLING)
    judged = steps.settle(study, steps.steps(study, "single_crop", wrong, BASELINE))
    rows = [row(name, error) for name, error in FALLING.items()]
    (card,) = finding.cards(study, Board(rows, judged, [], []), "single_crop")
    assert card["figure"].startswith("−10.")
    assert card["text"].startswith("BN-Inception to ResNet-50: 6")
    assert "In the papers, top-5 of one net: 7.82 to 6.71 %." in card["text"]
    unresolved = [step | {"verdict": "not resolved"} for step in judged]
    assert finding.cards(study, Board(rows, unresolved, [], []), "single_crop") == []


@pytest.mark.parametrize(("chance", "measure"), [(90.0, "top1_err"), (99.5, "top5_err"), (98.0, "top5_err")])
def test_few_classes_are_measured_by_top_1(chance: float, measure: str) -> None:
    assert finding.measure_of({"chance_top1_err": chance}) == measure


def test_the_claims_stand_by_their_verdicts() -> None:
    verdicts = ("not seen", "seen", "not judged: one seed", "seen")
    claims = [{"claim": f"Claim {number}.", "verdict": verdict} for number, verdict in enumerate(verdicts)]
    assert finding.of_claims(claims) == ["Seen: Claim 1; Claim 3.", "Not seen: Claim 0.", "Not judged: Claim 2."]
    assert finding.of_claims([]) == []


@pytest.mark.parametrize("name", ["history", "history-early", "quick", "claims", "claims-vgg"])
def test_the_findings_in_git_are_what_their_boards_give(name: str) -> None:
    folder = ROOT / "results" / name
    read = results.read(folder)
    board = Board(**{key: read.board[key] for key in Board._fields})
    masks = wrong_images.read((folder / wrong_images.FILE).read_bytes()).masks
    wrong = {entry: mask for (entry, *kind), mask in masks.items() if kind == ["single", "single_crop"]}
    assert finding.sentences(read.study, board, wrong, "single_crop") == board.finding
    assert finding.cards(read.study, board, "single_crop") == board.cards
