"""The board: rows, and the verdicts on the history's steps, on its order and on the claims that runs look into."""

from __future__ import annotations

from collections.abc import Mapping

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.leaderboard import finding, judged_claims, parts, steps
from ilsvrc_replay.leaderboard.board import Board, Row
from ilsvrc_replay.leaderboard.judged_claims import Findings
from ilsvrc_replay.params import Study
from ilsvrc_replay.run import Run


def build_board(study: Study, runs: Mapping[str, Run], rows: list[Row], findings: Findings) -> Board:
    """The board of `rows`, with verdicts from what the runs left."""
    wrong, baseline = findings.wrong, findings.baseline
    protocols = dict.fromkeys(protocol for _, kind, protocol in wrong if kind == "single")
    masks = {
        protocol: {key[0]: mask for key, mask in wrong.items() if key[1:] == ("single", protocol)}
        for protocol in protocols
        if tested_on(protocol)[0] == "test"
    }
    judged, orders = [], []
    for protocol, of_protocol in masks.items():
        judged += steps.steps(study, protocol, of_protocol, baseline)
        if study.steps is None:  # else the entries are no line of nets to put in order
            orders += [agreement] if (agreement := steps.order(study, protocol, of_protocol, baseline)) else []
    board = Board(rows, steps.settle(study, judged), orders, judged_claims.judge(study, runs, findings))
    if study.of_history:  # else nothing is asked of crops and ensembles
        board = board._replace(parts=parts.parts(study, rows, finding.measure_of(baseline)))
    main = max(masks, key=lambda protocol: len(masks[protocol]), default="")
    sentences = finding.sentences(study, board, masks.get(main, {}), main)
    return board._replace(finding=sentences, cards=finding.cards(study, board, main))
