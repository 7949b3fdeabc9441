"""Claims that a study's own runs decide."""

from __future__ import annotations

import numpy as np
import pytest

from ilsvrc_replay.leaderboard import judged_claims, render
from ilsvrc_replay.leaderboard.board import Board
from ilsvrc_replay.papers.run_claims import RunClaim, run_claims
from ilsvrc_replay.params import Entry, Study, load_study
from ilsvrc_replay.recipes.resolve import resolve_all


def wrong(share: float, images: int = 5000, seeds: int = 2) -> np.ndarray:
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


def test_a_claim_is_of_one_kind() -> None:
    with pytest.raises(ValueError, match="a claim needs lower and higher, or alike and margin, or order_of"):
        trial(lower="a")
    with pytest.raises(ValueError, match="two with order_of"):
        trial(order_of=["a", "b"])
