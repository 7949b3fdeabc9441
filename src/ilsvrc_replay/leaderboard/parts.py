"""Where the error fell: how much of each net's best result is the net, how much the crops, how much the ensemble."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.leaderboard.board import PART_COLUMNS, Row
from ilsvrc_replay.papers.published_parts import published_parts
from ilsvrc_replay.params import Study

PUBLISHED, HERE = "published", "measured here"
ONE_CROP = "single_crop"
Part = tuple[str, float, str, str]  # part, error in %, what was averaged, where the figure stands


def parts(study: Study, rows: list[Row], measure: str) -> list[Row]:
    """A row (of PART_COLUMNS) for every part of an entry's error, published in top-5 error and measured here by
    `measure`, top1_err or top5_err. `share` is of the error of the same net with one crop, where that is known. What a
    paper has of a net stands with its first entry alone."""
    found, told = [], set()
    for entry in study.entries:
        here, net = list(measured(entry, rows, measure)), study.net(entry).architecture
        if len(here) > 1:
            published = () if net in told else published_parts().get(net, ())
            told.add(net)
            of_papers = [(part.part, part.top5_err, part.of, part.table) for part in published]
            found += series(entry, PUBLISHED, "top5_err", of_papers) + series(entry, HERE, measure, here)
    return found


def measured(entry: str, rows: list[Row], measure: str) -> Iterator[Part]:
    """Of an entry's own rows on all test images: one crop, the last of the study's other protocols, and the ensemble
    of its seeds by the same. Which is last was written down before the test."""
    whole = [row for row in rows if row["entry"] == entry and tested_on(row["protocol"])[0] == "test"]
    alone = {row["protocol"]: row for row in whole if row["kind"] == "single" and "@" not in row["protocol"]}
    together = {row["protocol"]: row for row in whole if row["kind"] == "ensemble"}
    if ONE_CROP not in alone:
        return
    yield "net", alone[ONE_CROP][measure], "one crop", ONE_CROP
    last = [ONE_CROP, *(protocol for protocol in alone if protocol != ONE_CROP)][-1]
    if last != ONE_CROP:
        yield "crops", alone[last][measure], words(last), last
    if ensemble := together.get(last):
        yield "ensemble", ensemble[measure], f"{ensemble['seeds']} seeds, {words(last)}", last


def words(protocol: str) -> str:
    return protocol.replace("_", " ")


def series(entry: str, name: str, measure: str, found: Sequence[Part]) -> list[Row]:
    """Rows of one series."""
    first = next((error for part, error, *_ in found if part == "net"), None)
    rows = []
    for part, error, of, source in found:
        share = first and round(error / first, 4)
        rows.append(dict(zip(PART_COLUMNS, (entry, name, part, of, measure, error, share, source), strict=True)))
    return rows
