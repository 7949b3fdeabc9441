"""Claims that a study's own runs decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ilsvrc_replay.leaderboard import judged_claims, render
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.papers.run_claims import RunClaim, run_claims
from ilsvrc_replay.params import Entry, Study, load_study
from ilsvrc_replay.recipes.catalogue import of_net
from ilsvrc_replay.recipes.resolve import resolve_all
from ilsvrc_replay.run import Recipe


def wrong(share: float, images: int = 5000, seeds: int = 3) -> np.ndarray:
    """Masks (S, N) with this share of images wrong, the first ones: nested between nets, as real errors mostly are."""
    return np.stack([np.arange(images) < share * images] * seeds)


def trial(**kind: object) -> RunClaim:
    return RunClaim.model_validate({"claim": "c", "source": "s", "protocols": ["single_crop"], "differ": {}} | kind)


@pytest.mark.parametrize(
    ("kind", "first", "second", "verdict"),
    [
        ({"lower": "a", "higher": "b"}, 0.10, 0.12, "true"),
        ({"lower": "a", "higher": "b"}, 0.12, 0.10, "wrong"),
        ({"lower": "a", "higher": "b"}, 0.10, 0.10, "not decided"),
        ({"alike": ["a", "b"], "margin": 0.5}, 0.10, 0.0998, "true"),
        ({"alike": ["a", "b"], "margin": 0.5}, 0.10, 0.12, "true"),  # the second is worse: it gains nothing
        ({"alike": ["a", "b"], "margin": 0.5}, 0.12, 0.10, "wrong"),
        ({"alike": ["a", "b"], "margin": 0.5}, 0.105, 0.10, "not decided"),
    ],
)
def test_a_verdict_needs_an_interval_on_one_side(kind: dict, first: float, second: float, verdict: str) -> None:
    errors = {"a": wrong(first), "b": wrong(second)}
    found = judged_claims.measure(trial(**kind), lambda entry, _protocol: errors[entry])
    assert found.verdict == verdict
    assert f"a {100 * first:.2f} %, b {100 * second:.2f} %" in found.figure


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [((0.12, 0.08), "true"), ((0.12, 0.13), "wrong"), ((0.12, 0.10), "not decided")],
)
def test_an_order_depends_on_the_protocol_if_it_turns_round(changes: tuple[float, float], verdict: str) -> None:
    errors = {"ten_crop": changes[0], "dense": changes[1]}
    found = judged_claims.measure(
        trial(order_of=["a", "b"], protocols=["ten_crop", "dense"]),
        lambda entry, protocol: wrong(0.10 if entry == "a" else errors[protocol]),
    )
    assert found.verdict == verdict


def test_the_study_of_claims_decides_every_claim() -> None:
    study = load_study("pipelines/studies/claims.yaml")
    rows = judged_claims.judge(study, resolve_all(study), lambda _entry, _protocol: wrong(0.1))
    assert [row["id"] for row in rows] == list(run_claims())
    text = render.decided(Board([], [], [], rows))
    assert len([line for line in text if line.startswith("| ")]) == len(rows) + 1


def test_a_study_without_those_entries_decides_none() -> None:
    study: Study = load_study("pipelines/studies/miniature.yaml")
    assert judged_claims.judge(study, resolve_all(study), lambda _entry, _protocol: wrong(0.1)) == []


def test_entries_that_were_not_trained_alike_decide_nothing() -> None:
    study: Study = load_study("pipelines/studies/quick.yaml")
    study = study.model_copy(update={"entries": study.entries | {"resnet152": Entry(lr=0.004)}})
    assert judged_claims.judge(study, resolve_all(study), lambda _entry, _protocol: wrong(0.1)) == []


def judged(first: dict[str, Any], second: dict[str, Any], **entries: dict[str, Any]) -> list[str]:
    """The claims that a study of resnet50 and resnet152, of these values, or of `entries` decides."""
    study = Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "digits"},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500},
            "seeds": [0],
            "defaults": {"recipe": "modern"},
            "entries": entries or {"resnet50": first, "resnet152": second},
        }
    )
    rows = judged_claims.judge(study, resolve_all(study), lambda _entry, _protocol: wrong(0.1))
    return [row["id"] for row in rows]


def test_a_value_left_out_is_the_recipes() -> None:
    assert of_net("modern", "resnet50")["lr"] == 0.005
    assert judged({}, {"lr": 0.005}) == ["little-gain-beyond-50"]
    assert judged({"lr": 0.005}, {}) == ["little-gain-beyond-50"]
    assert judged({}, {"lr": 0.01}) == []
    assert judged({"lr": 0.01}, {"lr": 0.01}) == ["little-gain-beyond-50"]


OTHER = {  # a value of every key of a recipe that is not the modern one's
    "init": "he",
    "zero_residuals": False,
    "norm_bias": 0.0,
    "optimizer": "sgd",
    "lr": 0.01,
    "momentum": 0.8,
    "weight_decay": 0.1,
    "clip": 1.0,
    "average": "ema",
    "label_smoothing": 0.1,
    "auxiliary_weight": 0.0,
    "schedule": {"kind": "cosine", "warmup": 0.2},
    "batch_size": 64,
    "epochs": 2.0,
    "dropout": 0.5,
    "crop": {"kind": "pad"},
    "test_scale": 1.2,
    "flip": True,
    "pca_colour": 0.1,
    "photometric": 0.4,
}


@pytest.mark.parametrize("key", Recipe.model_fields)
def test_another_value_of_any_key_is_another_training(key: str) -> None:
    assert judged({key: OTHER[key]}, {}) == []
    assert judged({key: OTHER[key]}, {key: OTHER[key]}) == ["little-gain-beyond-50"]


@pytest.mark.parametrize("change", [{"width": 0.5}, {"compact": 2}, {"activation": "tanh"}, {"recipe": "era"}], ids=str)
def test_a_net_of_another_shape_or_recipe_is_another(change: dict[str, Any]) -> None:
    assert judged(change, {}) == []
    assert judged(change, change) == ["little-gain-beyond-50"]


@pytest.mark.parametrize(
    ("entries", "claim"),
    [
        ({"vgg11": {}, "vgg11_lrn": {"architecture": "vgg11_lrn"}}, "vgg-lrn-buys-nothing"),
        (
            {"resnet18": {}, "resnet18-smoothed": {"architecture": "resnet18", "label_smoothing": 0.1}},
            "label-smoothing-helps",
        ),
        ({"alexnet": {}, "alexnet-tanh": {"architecture": "alexnet", "activation": "tanh"}}, "relu-learns-faster"),
        (
            {"googlenet": {}, "googlenet-no-auxiliaries": {"architecture": "googlenet", "auxiliary_weight": 0.0}},
            "auxiliary-classifiers-help",
        ),
    ],
)
def test_a_name_decides_nothing_without_what_it_stands_for(entries: dict[str, dict], claim: str) -> None:
    assert judged({}, {}, **entries) == [claim]
    first, second = entries
    alike = {first: {}, second: {"architecture": first}}  # the second has the name alone
    assert judged({}, {}, **alike) == []
    assert judged({}, {}, **{first: {}, second: {"architecture": "resnet18"}}) == []
    others = {first: {"architecture": "resnet34"}, second: {**entries[second], "architecture": "resnet34"}}
    assert judged({}, {}, **others) == []


def test_a_claim_is_of_one_kind() -> None:
    with pytest.raises(ValueError, match="a claim needs lower and higher, or alike and margin, or order_of"):
        trial(lower="a")
    with pytest.raises(ValueError, match="two with order_of"):
        trial(order_of=["a", "b"])
