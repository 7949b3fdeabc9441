"""What a study's own runs say on claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ilsvrc_replay.leaderboard import judged_claims, render
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.leaderboard.judged_claims import Findings, steps_to
from ilsvrc_replay.papers.run_claims import RunClaim, run_claims
from ilsvrc_replay.params import Entry, Study, load_study
from ilsvrc_replay.recipes.catalogue import of_net
from ilsvrc_replay.recipes.resolve import resolve_all
from ilsvrc_replay.run import Recipe, Run

BASELINE = {f"linear_{kind}top1_err": 60.0 for kind in ("", "train_", "val_")} | {"chance_top1_err": 90.0}
SEEDS = 5
Error = Callable[[str], float]


def wrong(error: float, sd: float = 0.3, images: int = 10_000, seeds: int = SEEDS) -> np.ndarray:
    """Masks (S, N) with about this error in %, the first images of all: nested, as real errors mostly are."""
    spread = sd * stats.norm.ppf((np.arange(seeds) + 0.5) / seeds)
    return np.stack([np.arange(images) < round((error + each) / 100 * images) for each in spread])


def curves(steps: float, seeds: int = SEEDS, length: int = 400) -> list[list[dict[str, float]]]:
    """Curves of validations every 100 steps that fall along a line and pass 15 % after about so many steps."""
    lasts = [steps * (1 + 0.03 * (seed - seeds // 2)) for seed in range(seeds)]
    return [
        [{"step": at, "val_top1_err": 15 - (at - last) / 10} for at in range(100, length + 1, 100)] for last in lasts
    ]


def pair(first: dict[str, Any], second: dict[str, Any]) -> Study:
    return made({"vgg11": first, "vgg11_lrn": second})


def made(entries: dict[str, Any], **other: Any) -> Study:
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "digits"},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500},
            "seeds": list(range(SEEDS)),
            "defaults": {"recipe": "modern"},
            "entries": entries,
        }
        | other
    )


def judge(study: Study, error: Error, speed: Error = lambda _: 250.0, **kinds: Any) -> dict[str, dict[str, str]]:
    """The verdicts on a study whose entries have these errors, and reach 15 % after so many steps."""
    masks = {
        (entry, "single", protocol): wrong(error(entry), **kinds)
        for entry in study.entries
        for protocol in study.protocols(entry)
    }
    findings = Findings(masks, BASELINE, lambda entry: curves(speed(entry)))
    return {row["id"]: row for row in judged_claims.judge(study, resolve_all(study), findings)}


def smoothing(first: float, second: float, **kinds: Any) -> dict[str, str]:
    """The verdict on label smoothing, if the smoothed net has the error `first`."""
    entries = {"resnet18": {}, "resnet18-smoothed": {"architecture": "resnet18", "label_smoothing": 0.1}}
    found = judge(made(entries), {"resnet18": second, "resnet18-smoothed": first}.get, **kinds)
    return found["label-smoothing-helps"]


@pytest.mark.parametrize(
    ("first", "second", "verdict"), [(10, 12, "seen"), (12, 10, "opposite"), (10, 10.2, "not seen")]
)
def test_one_net_errs_less_than_the_other(first: float, second: float, verdict: str) -> None:
    row = smoothing(first, second)
    assert row["verdict"] == verdict
    assert f"resnet18-smoothed {first:.2f} %, resnet18 {second:.2f} %: {second - first:+.2f} points (" in row["figure"]
    assert ("four times in five" in row["figure"]) == (verdict == "not seen")
    assert "against the claim" not in row["figure"]
    assert row["published"] == "by 0.3 points in Inception-v2"


@pytest.mark.parametrize(
    ("plain", "normalised", "verdict"),
    [(10, 9.8, "not seen"), (10, 10.3, "seen"), (10, 9.7, "not seen"), (10, 8.5, "opposite"), (10, 12, "seen")],
)
def test_a_gain_is_smaller_than_a_margin(plain: float, normalised: float, verdict: str) -> None:
    found = judge(pair({}, {}), {"vgg11": plain, "vgg11_lrn": normalised}.get)
    assert found["vgg-lrn-buys-nothing"]["verdict"] == verdict
    exact = judge(pair({}, {}), {"vgg11": plain, "vgg11_lrn": normalised}.get, sd=0.02)["vgg-lrn-buys-nothing"]
    assert exact["verdict"] == ("seen" if normalised > 9.6 else "opposite"), "with runs that hardly differ"


def test_a_weak_experiment_says_how_many_seeds_it_would_take() -> None:
    row = smoothing(10.0, 10.4, sd=0.4)
    assert row["verdict"] == "not seen"
    assert row["figure"].endswith("17 seeds would show this difference four times in five")
    assert smoothing(10.0, 10.4, sd=0.4, seeds=25)["verdict"] == "seen"
    against = smoothing(10.4, 10.0, sd=0.4)["figure"]
    assert against.endswith("17 seeds would show this difference, which is against the claim, four times in five")
    hopeless = smoothing(10.0, 10.001, sd=0.4)
    assert hopeless["figure"].endswith(
        "more than 1,000 seeds or other images would show this difference four times in five"
    )


@pytest.mark.parametrize(("seeds", "reason"), [(1, "one seed"), (2, "two seeds")])
def test_fewer_than_three_seeds_decide_nothing(seeds: int, reason: str) -> None:
    row = smoothing(10, 20, seeds=seeds)
    assert (row["verdict"], row["figure"]) == (f"not judged: {reason}", "")


def test_nets_that_did_not_train_decide_nothing() -> None:
    assert smoothing(61, 80)["verdict"] == "not judged: resnet18-smoothed and resnet18 did not train"
    assert smoothing(10, 90)["verdict"] == "not judged: resnet18 did not train"
    assert smoothing(10, 80)["verdict"] == "seen", "that one fits worse than a linear classifier may be what is claimed"


ACTIVATIONS = {"alexnet": {}, "alexnet-tanh": {"architecture": "alexnet", "activation": "tanh"}}


def faster(relu: float, tanh: float) -> dict[str, str]:
    found = judge(made(ACTIVATIONS), lambda _: 10.0, {"alexnet": relu, "alexnet-tanh": tanh}.get)
    return found["relu-learns-faster"]


@pytest.mark.parametrize(
    ("relu", "tanh", "verdict"), [(150, 300, "seen"), (300, 150, "opposite"), (250, 255, "not seen")]
)
def test_one_net_gets_there_in_fewer_steps(relu: float, tanh: float, verdict: str) -> None:
    row = faster(relu, tanh)
    assert row["verdict"] == verdict
    logs = [[np.log(steps * (1 + 0.03 * (seed - 2))) for seed in range(SEEDS)] for steps in (relu, tanh)]
    expected = stats.ttest_ind(logs[1], logs[0], equal_var=False).confidence_interval()
    assert f"times as many ({np.exp(expected.low):.2f} to {np.exp(expected.high):.2f})" in row["figure"]
    assert f"{tanh / relu:.2f} times as many" in row["figure"]


def test_a_net_that_does_not_get_there_counts_with_its_whole_length() -> None:
    row = faster(150, 800)
    assert row["verdict"] == "seen"
    assert f"at least {400 / 150:.2f} times as many (no fewer than 2." in row["figure"]
    assert "alexnet-tanh not at 15 % after 400 steps in any of 5 runs" in row["figure"]
    row = faster(800, 150)
    assert row["verdict"] == "opposite"
    assert f"at most {149.9 / 400:.2f} times as many (no more than 0.4" in row["figure"]
    some = faster(150, 395)["figure"]
    assert "alexnet-tanh 390 steps to 15 % (2 of 5 runs did not get there): at least 2." in some
    row = faster(900, 800)
    assert row["verdict"].startswith(
        "not judged: 5 of 5 runs of alexnet did not get there; 5 of 5 runs of alexnet-tanh"
    )
    assert faster(50, 200)["verdict"] == "not judged: alexnet was there before its first validation"


def test_steps_to_an_error_lie_on_a_line_between_two_validations() -> None:
    curve = [
        {"step": step, "val_top1_err": error} for step, error in ((100, 60.0), (200, 30.0), (300, 20.0), (400, 40.0))
    ]
    assert steps_to(curve, 25.0) == (250.0, True)
    assert steps_to(curve, 20.0) == (300.0, True)
    assert steps_to(curve, 60.0) == (None, True)
    assert steps_to(curve, 10.0) == (400, False)


def test_holms_correction_is_over_all_claims_of_a_study() -> None:
    entries = ACTIVATIONS | {
        "resnet18": {},
        "resnet18-smoothed": {"architecture": "resnet18", "label_smoothing": 0.1},
    }
    error = {"resnet18": 10.48, "resnet18-smoothed": 10.0}
    found = judge(made(entries), lambda entry: error.get(entry, 10.0), lambda _: 250.0)
    assert found["label-smoothing-helps"]["verdict"] == "not seen"
    assert smoothing(10.0, 10.48)["verdict"] == "seen", "alone"


def test_the_studies_of_claims_look_into_every_claim() -> None:
    found = []
    for name in ("claims-depth", "claims", "claims-vgg"):
        study = load_study(f"pipelines/studies/{name}.yaml")
        assert len(study.seeds) >= 5
        assert all(study.grids(entry) for entry in study.entries), "every arm has its own best rate"
        rows = judge(study, lambda _: 10.0)
        text = render.decided(Board([], [], [], list(rows.values())))
        assert len([line for line in text if line.startswith("| ")]) == len(rows) + 1
        found += rows
    assert found == list(run_claims())


def test_a_study_without_those_entries_looks_into_none() -> None:
    assert judge(load_study("pipelines/studies/miniature.yaml"), lambda _: 10.0) == {}


def test_entries_that_were_not_trained_alike_decide_nothing() -> None:
    study: Study = load_study("pipelines/studies/quick.yaml")
    study = study.model_copy(
        update={"entries": study.entries | {"vgg11": Entry(lr=0.002), "vgg11_lrn": Entry(lr=0.004)}}
    )
    assert judge(study, lambda _: 10.0) == {}


LRN = ["vgg-lrn-buys-nothing"]


def judged(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """The claims that a study of vgg11 and vgg11_lrn, of these values, looks into."""
    return list(judge(pair(first, second), lambda _: 10.0))


def test_a_value_left_out_is_the_recipes() -> None:
    assert of_net("modern", "vgg11")["lr"] == 0.005
    assert judged({}, {"lr": 0.005}) == LRN
    assert judged({"lr": 0.005}, {}) == LRN
    assert judged({}, {"lr": 0.01}) == []
    assert judged({"lr": 0.01}, {"lr": 0.01}) == LRN


def test_a_rate_of_each_nets_own_is_no_difference_if_both_searched_it_alike() -> None:
    grid, other = {"search": [0.001, 0.002, 0.004]}, {"search": [0.001, 0.002, 0.008]}
    study = pair({"lr": grid}, {"lr": grid})
    runs = resolve_all(study)
    runs["vgg11_lrn"] = runs["vgg11_lrn"].with_recipe(lr=0.002)
    claim = run_claims()["vgg-lrn-buys-nothing"]
    assert claim.fits(runs["vgg11"], runs["vgg11_lrn"])
    assert judged_claims.chosen(claim, runs) == ["at lr 0.001 (the lowest tried) and 0.002, each its best of 3"]
    assert judged({"lr": grid}, {"lr": other}) == []
    assert judged({"lr": grid}, {"lr": 0.001}) == []


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
    assert judged({key: OTHER[key]}, {key: OTHER[key]}) == LRN


@pytest.mark.parametrize("change", [{"width": 0.5}, {"compact": 2}, {"activation": "tanh"}, {"recipe": "era"}], ids=str)
def test_a_net_of_another_shape_or_recipe_is_another(change: dict[str, Any]) -> None:
    assert judged(change, {}) == []
    assert judged(change, change) == LRN


@pytest.mark.parametrize(
    ("entries", "claim"),
    [
        ({"vgg11": {}, "vgg11_lrn": {"architecture": "vgg11_lrn"}}, "vgg-lrn-buys-nothing"),
        (
            {"resnet18": {}, "resnet18-smoothed": {"architecture": "resnet18", "label_smoothing": 0.1}},
            "label-smoothing-helps",
        ),
        (ACTIVATIONS, "relu-learns-faster"),
        (
            {"bn_inception": {}, "inception_no_bn": {"architecture": "inception_no_bn"}},
            "batch-normalisation-learns-faster",
        ),
        (
            {"googlenet": {}, "googlenet-no-auxiliaries": {"architecture": "googlenet", "auxiliary_weight": 0.0}},
            "auxiliary-classifiers-help",
        ),
    ],
)
def test_a_name_decides_nothing_without_what_it_stands_for(entries: dict[str, dict], claim: str) -> None:
    def claims(entries: dict[str, dict]) -> list[str]:
        return list(judge(made(entries), lambda _: 10.0))

    assert claims(entries) == [claim]
    first, second = entries
    assert claims({first: {}, second: {"architecture": first}}) == []  # the second has the name alone
    assert claims({first: {}, second: {"architecture": "resnet34"}}) == []
    others = {first: {"architecture": "resnet34"}, second: {**entries[second], "architecture": "resnet34"}}
    assert claims(others) == []


def trial(**kind: object) -> RunClaim:
    values = {"claim": "c", "published": "p", "source": "s", "differ": {}}
    return RunClaim.model_validate(values | kind)


@pytest.mark.parametrize(
    "kind",
    [
        {"lower": "a", "protocol": "single_crop"},
        {"lower": "a", "higher": "b", "alike": ["a", "b"], "margin": 0.5, "protocol": "single_crop"},
        {"lower": "a", "higher": "b"},
        {"lower": "a", "higher": "b", "protocol": "single_crop", "steps_to": 25.0},
        {"alike": ["a", "b"], "margin": 0.5, "steps_to": 25.0},
    ],
)
def test_a_claim_is_of_one_kind(kind: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a claim needs"):
        trial(**kind)


def test_runs_that_differ_in_more_than_the_claim_do_not_fit() -> None:
    claim = trial(lower="vgg11", higher="vgg11_lrn", protocol="single_crop", differ={"recipe.lr": [0.005, 0.01]})
    runs: dict[str, Run] = resolve_all(pair({}, {"lr": 0.01}))
    assert not claim.fits(runs["vgg11"], runs["vgg11_lrn"])
