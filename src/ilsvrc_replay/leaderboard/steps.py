"""The steps of the challenge's history, from each net to the one that beat it: did the error fall here, too?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from ilsvrc_replay.leaderboard import judgement
from ilsvrc_replay.leaderboard.board import STEP_COLUMNS, Row
from ilsvrc_replay.leaderboard.floors import trained
from ilsvrc_replay.papers.published import find
from ilsvrc_replay.params import Study
from ilsvrc_replay.statistics.comparisons import order_agreement

# The winners and others that became famous, in order; of each line, the first net that the study has.
HISTORY = (
    ("alexnet",),
    ("zfnet", "zfnet_b"),
    ("vgg16", "vgg19"),
    ("googlenet",),
    ("bn_inception",),
    ("resnet152", "resnet101", "resnet50", "resnet34", "resnet18"),
    ("inception_v4",),
)
AS_IN_HISTORY, REVERSED = "resolved, as in history", "resolved, reversed"
LOWER, HIGHER = "resolved, lower", "resolved, higher"  # of pairs that a study writes down, which no history judged
NOT_TRAINED = "did not train"
SIDES = ("before", "after")
Baseline = Mapping[str, Any]


def milestones(study: Study, tested: Collection[str]) -> list[str]:
    """The `tested` entries that stand for the steps of the history, the earliest first."""
    chosen = []
    for alternatives in HISTORY:
        present = [name for net in alternatives for name in tested if is_net(study, name, net)]
        chosen += present[:1]
    return chosen


def is_net(study: Study, name: str, net: str) -> bool:
    """Whether an entry is this net, as its paper has it."""
    found = study.net(name)
    return found.architecture == net and found.activation == "relu"


def pairs(study: Study, tested: Collection[str]) -> list[tuple[str, str]]:
    """The steps between `tested` entries: those that the study writes down, or else the history's."""
    if study.steps is None:
        return list(pairwise(milestones(study, tested)))
    return [(before, after) for before, after in study.steps if before in tested and after in tested]


def steps(study: Study, protocol: str, wrong: Mapping[str, np.ndarray], baseline: Baseline) -> list[Row]:
    """A row (of STEP_COLUMNS) for every step of the study, to be settled together with those of other protocols.

    `wrong`: by entry, the images that each seed has wrong under `protocol`, masks (S, N). `change` is in points of
    top-1 error. Nets that did not train are not judged.
    """
    rows = []
    for before, after in pairs(study, wrong):
        names, masks = (before, after), (wrong[before], wrong[after])
        failed = [name for name, mask in zip(names, masks, strict=True) if not trained(mask, baseline, protocol)]
        reason = f"{' and '.join(failed)} {NOT_TRAINED}" if failed else None
        rows.append(
            {"protocol": protocol, "before": before, "after": after}
            | {f"{side}_top1_err": round(100 * float(mask.mean()), 4) for side, mask in zip(SIDES, masks, strict=True)}
            | {f"{side}_published": own_error(study, name) for side, name in zip(SIDES, names, strict=True)}
            | judgement.measure(*masks, reason)
        )
    return [{column: row[column] for column in STEP_COLUMNS} for row in rows]


def settle(study: Study, rows: list[Row]) -> list[Row]:
    """The steps of all protocols with their verdicts, one family for Holm's correction.

    In history the error of the challenge's entries fell at every step.
    """
    fell, rose = (AS_IN_HISTORY, REVERSED) if study.steps is None else (LOWER, HIGHER)
    return judgement.settle(rows, fell=fell, rose=rose)


def order(study: Study, protocol: str, wrong: Mapping[str, np.ndarray], baseline: Baseline) -> Row | None:
    """Kendall's tau, with its permutation p, between the measured order of the nets that trained and that of their
    papers' own single nets on ImageNet, by top-5 error; None for fewer than three nets that have one. A net counts
    once, as the first of its entries: trained by two recipes it makes no two of them."""
    entries = {}
    for name in wrong:
        if own_error(study, name):
            entries.setdefault(study.net(name).architecture, name)
    known = list(entries.values())
    names = [name for name in known if trained(wrong[name], baseline, protocol)]
    published = [own_error(study, name) for name in names]
    measured = [float(wrong[name].mean()) for name in names]
    if len(names) < 3 or len(set(published)) < 2 or len(set(measured)) < 2:
        return None
    tau, p = order_agreement(measured, published)
    left_out = [name for name in known if name not in names]
    values = {"tau": round(tau, 4), "p": judgement.significant(p), "entries": names, "untrained": left_out}
    return {"protocol": protocol} | values


def own_error(study: Study, name: str) -> float | None:
    """The top-5 error in % that an entry's paper has for one net on ImageNet, by the paper's own protocol."""
    net = study.net(name)
    record = find(net.architecture, net.activation)
    return record.single.top5_err if record and record.single and record.single.dataset == "ImageNet" else None
