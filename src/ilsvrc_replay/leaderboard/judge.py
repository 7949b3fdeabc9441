"""A board's verdicts: on the steps of the history, on its order, and on the claims that the study's runs decide."""

from __future__ import annotations

from collections.abc import Mapping

from ilsvrc_replay.evaluation.plans import tested_on
from ilsvrc_replay.leaderboard import experiments, steps
from ilsvrc_replay.leaderboard.board import Board, Row
from ilsvrc_replay.leaderboard.mistakes import Masks
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run


def judge(study: Study, runs: Mapping[str, Run], rows: list[Row], mistakes: Masks) -> Board:
    """The board of `rows` with what the mistakes, image by image, say of the history and of the claims."""
    protocols = dict.fromkeys(protocol for _, kind, protocol in mistakes if kind == "single")
    judged, orders = [], []
    for protocol in (name for name in protocols if tested_on(name)[0] == "test"):
        masks = {key[0]: mask for key, mask in mistakes.items() if key[1:] == ("single", protocol)}
        judged += steps.steps(study, protocol, masks)
        orders += [agreement] if (agreement := steps.order(study, protocol, masks)) else []
    claims = experiments.judge(study, runs, lambda entry, protocol: mistakes[entry, "single", protocol])
    return Board(rows, judged, orders, claims)
