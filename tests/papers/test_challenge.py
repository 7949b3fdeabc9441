from __future__ import annotations

import pytest

from ilsvrc_replay.papers.challenge import challenge
from ilsvrc_replay.papers.published import published


def test_the_winners_error_falls_from_2010_to_2016() -> None:
    winners = challenge().winners
    assert [winner.year for winner in winners] == list(range(2010, 2017))
    errors = [winner.top5_err for winner in winners]
    assert errors == sorted(errors, reverse=True)
    assert (round(errors[0], 1), round(errors[-1], 1)) == (28.2, 3.0)


@pytest.mark.parametrize("net", ["alexnet", "zfnet", "googlenet", "resnet152"])
def test_the_winners_and_the_nets_headlines_are_the_same_numbers(net: str) -> None:
    record = published()[net]
    winner = next(winner for winner in challenge().winners if winner.year == record.year)
    assert round(winner.top5_err, 1) == record.headline.top5_err
