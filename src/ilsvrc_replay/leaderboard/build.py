"""The board: rows, and the verdicts on the history's steps, on its order and on the claims that runs decide."""

from __future__ import annotations

from collections.abc import Mapping

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.leaderboard import judged_claims, steps
from ilsvrc_replay.leaderboard.board import Board, Row
from ilsvrc_replay.leaderboard.predictions import Masks
from ilsvrc_replay.leaderboard.steps import Baseline
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run


def build_board(study: Study, runs: Mapping[str, Run], rows: list[Row], wrong: Masks, baseline: Baseline) -> Board:
    """The board of `rows`, with verdicts from `wrong`, which images each row has wrong, and `baseline`, the errors that
    a net must beat."""
    protocols = dict.fromkeys(protocol for _, kind, protocol in wrong if kind == "single")
    judged, orders = [], []
    for protocol in (name for name in protocols if tested_on(name)[0] == "test"):
        masks = {key[0]: mask for key, mask in wrong.items() if key[1:] == ("single", protocol)}
        judged += steps.steps(study, protocol, masks, baseline)
        orders += [agreement] if (agreement := steps.order(study, protocol, masks, baseline)) else []
    claims = judged_claims.judge(study, runs, lambda entry, protocol: wrong[entry, "single", protocol])
    return Board(rows, steps.settle(judged), orders, claims)
