"""Where the error fell: how much of each net's best result is the net, how much the crops, how much the ensemble."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ilsvrc_replay.evaluation.protocols import tested_on
from ilsvrc_replay.leaderboard.board import PART_COLUMNS, Row
from ilsvrc_replay.papers.published_parts import published_parts
from ilsvrc_replay.params import Study

PUBLISHED, HERE = "published", "measured here"
ONE_CROP = "single_crop"


def parts(study: Study, rows: list[Row], measure: str) -> list[Row]:
    """A row (of PART_COLUMNS) for every part of an entry's error, published in top-5 error and measured here by
    `measure`, top1_err or top5_err. `share` is of the error of the same net with one crop, where that is known."""
    found = []
    for entry in study.entries:
        published = published_parts().get(study.net(entry).architecture, ())
        here = list(measured(entry, rows, measure))
        if len(here) > 1:
            of_papers = [(part.part, part.top5_err, part.of, part.table) for part in published]
            found += series(entry, PUBLISHED, "top5_err", of_papers) + series(entry, HERE, measure, here)
    return found


def measured(entry: str, rows: list[Row], measure: str) -> Iterator[tuple[str, float, str, str]]:
    """Part, error, what was averaged, and protocol, of an entry's own rows on test images: one crop, the lowest of its
    other protocols, and the ensemble of its seeds by the better of these."""
    tested = [row for row in rows if row["entry"] == entry and tested_on(row["protocol"])[0] == "test"]
    alone = {row["protocol"]: row for row in tested if row["kind"] == "single"}
    together = {row["protocol"]: row for row in tested if row["kind"] == "ensemble"}
    if ONE_CROP not in alone:
        return
    yield "net", alone[ONE_CROP][measure], "one crop", ONE_CROP
    best = min(alone, key=lambda protocol: alone[protocol][measure])
    views = [protocol for protocol in alone if protocol != ONE_CROP and "@" not in protocol]
    if views:
        several = min(views, key=lambda protocol: alone[protocol][measure])
        yield "crops", alone[several][measure], several.replace("_", " "), several
    if best in together:
        row = together[best]
        yield "ensemble", row[measure], f"{row['seeds']} seeds, {best.replace('_', ' ')}", best


def series(entry: str, name: str, measure: str, values: list[tuple[str, float, str, str]]) -> list[Row]:
    """Rows of one series, with the share of its error with one crop."""
    first = next((error for part, error, *_ in values if part == "net"), None)
    found = []
    for part, error, of, source in values:
        share = round(error / first, 4) if first else None
        row: Mapping[str, Any] = {
            "entry": entry,
            "series": name,
            "part": part,
            "of": of,
            "measure": measure,
            "error": error,
            "share": share,
            "source": source,
        }
        found.append({column: row[column] for column in PART_COLUMNS})
    return found
