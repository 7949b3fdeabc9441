"""The board: rows, and the verdicts on the history's steps, on its order and on the claims that runs look into."""

from __future__ import annotations

from collections.abc import Mapping

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.leaderboard import judged_claims, steps
from ilsvrc_replay.leaderboard.board import Board, Row
from ilsvrc_replay.leaderboard.judged_claims import Findings
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run


def build_board(study: Study, runs: Mapping[str, Run], rows: list[Row], findings: Findings) -> Board:
    """The board of `rows`, with verdicts from what the runs left."""
    wrong, baseline = findings.wrong, findings.baseline
    protocols = dict.fromkeys(protocol for _, kind, protocol in wrong if kind == "single")
    judged, orders = [], []
    for protocol in (name for name in protocols if tested_on(name)[0] == "test"):
        masks = {key[0]: mask for key, mask in wrong.items() if key[1:] == ("single", protocol)}
        judged += steps.steps(study, protocol, masks, baseline)
        orders += [agreement] if (agreement := steps.order(study, protocol, masks, baseline)) else []
    return Board(rows, steps.settle(judged), orders, judged_claims.judge(study, runs, findings))
