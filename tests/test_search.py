"""What a search tries, and which value it chooses."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from ilsvrc_replay import search
from ilsvrc_replay.leaderboard import tunings
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Run


@pytest.fixture
def run(study: Callable[..., Study]) -> Run:
    return resolve(study(lr={"search": [0.001, 0.002, 0.004]}, epochs=10.0), "net")


def curve(error: float, loss: float = 1.0, train_loss: float = 1.0) -> list[dict[str, float]]:
    first = {"step": 5, "epoch": 0.1, "lr": 0.1, "train_loss": 2.0, "val_loss": 2.0, "val_top1_err": 1.0}
    last = {"step": 9, "epoch": 0.2, "train_loss": train_loss, "val_loss": loss, "val_top1_err": error}
    return [row | {"val_top5_err": 0.0} for row in (first, first | last)]


def rows(run: Run, *errors: float | tuple[float, float]) -> list[search.Row]:
    curves = [curve(*(error if isinstance(error, tuple) else (error,))) for error in errors]
    return [search.row(run, value, found) for value, found in zip(run.search.values, curves, strict=True)]


def choice(found: list[search.Row]) -> tuple[float, str]:
    best = search.chosen(search.choose(found))
    return best["value"], best["outcome"]


def test_every_value_has_the_same_share_of_the_entrys_length(run: Run) -> None:
    trial = search.trial(run, 0.004)
    assert (trial.recipe.lr, trial.recipe.epochs) == (0.004, 3.0)
    assert trial.recipe.model_copy(update={"lr": run.recipe.lr, "epochs": 10.0}) == run.recipe


def test_the_lowest_validation_error_is_chosen(run: Run) -> None:
    found = rows(run, 30.0, 20.0, 40.0)
    assert choice(found) == (0.002, "chosen")
    assert [row["outcome"] for row in search.choose(found)] == ["trained", "chosen", "trained"]
    assert set(found[0]) == set(search.COLUMNS)
    assert (found[1]["steps"], found[1]["val_top1_err"]) == (9, 20.0), "of the last validation"


def test_of_equal_errors_the_lower_loss_is_chosen(run: Run) -> None:
    assert choice(rows(run, (20.0, 0.9), (20.0, 0.8), (20.0, 0.85))) == (0.002, "chosen")


@pytest.mark.parametrize(("errors", "value"), [((10.0, 20.0, 30.0), 0.001), ((30.0, 20.0, 10.0), 0.004)])
def test_a_choice_at_the_edge_says_so(run: Run, errors: tuple[float, ...], value: float) -> None:
    assert choice(rows(run, *errors)) == (value, "chosen, at the grid's edge")


@pytest.mark.parametrize("lost", [(5.0, nan), (5.0, inf), (5.0, 1.0, nan)])
def test_what_diverged_is_not_chosen_and_bounds_the_search(run: Run, lost: tuple[float, ...]) -> None:
    found = rows(run, 30.0, 20.0, lost)
    assert choice(found) == (0.002, "chosen"), "higher values were tried"
    assert found[2]["outcome"] == "diverged"
    assert None in (found[2]["val_loss"], found[2]["train_loss"])
    assert search.choose(rows(run, lost, lost, lost)) is None


def test_a_searched_value_is_no_difference_between_entries(study: Callable[..., Study]) -> None:
    def decisive(value: float, **entry: Any) -> dict[str, Any]:
        return resolve(study(**entry), "net").with_recipe(lr=value).decisive

    grid, other = {"search": [0.001, 0.002]}, {"search": [0.001, 0.004]}
    assert decisive(0.001, lr=grid) == decisive(0.002, lr=grid)
    assert decisive(0.001, lr=grid) != decisive(0.001, lr=other)
    assert decisive(0.001, lr=grid) != decisive(0.001, lr=0.001)
    assert decisive(0.001, lr=0.001) != decisive(0.002, lr=0.001)


def test_the_board_says_what_was_tried(study: Callable[..., Study], run: Run) -> None:
    found = search.choose(rows(run, 10.0, 20.0, 30.0)) + [
        row | {"entry": "other"} for row in search.choose(rows(run, 30.0, 20.0, 40.0))
    ]
    both = study()
    both = both.model_copy(update={"entries": both.entries | {"other": both.entries["net"]}})
    assert tunings.sentences(found, both) == [
        "Tuned on validation images, each value for 30% of the entry's epochs with seed 1000: net, other: lr of 0.001,"
        " 0.002, 0.004.",
        "At the edge of the search, so that a better value may lie outside: net at 0.001.",
    ]
    assert tunings.sentences([], study()) == []
