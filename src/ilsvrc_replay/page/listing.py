"""The page that lists the studies with their questions and what they found, and the claims that need no training."""

from __future__ import annotations

from collections import Counter

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.leaderboard.floors import images_of
from ilsvrc_replay.leaderboard.tunings import is_chosen
from ilsvrc_replay.page import sketch
from ilsvrc_replay.page.document import HERE, templates
from ilsvrc_replay.page.results import Results
from ilsvrc_replay.page.searches import StudySearch


def render(studies: list[Results], searches: list[StudySearch], claims: list[Row]) -> str:
    """The page. Equal arguments give equal bytes. `claims` are rows of CLAIM_COLUMNS."""
    return (
        templates()
        .get_template("listing.html.j2")
        .render(
            studies=[
                {
                    "name": results.study.study,
                    "question": results.study.question,
                    "finding": results.board["finding"],
                    "sketch": sketch.sketch(results),
                    "verdicts": Counter(claim["verdict"].partition(":")[0] for claim in results.board["claims"]),
                    "measured_on": f"{images_of(results.rows)} of {results.study.dataset.name}",
                    "entries": len(results.study.entries),
                    "seeds": len(results.study.seeds),
                }
                for results in studies
            ],
            width=sketch.WIDTH,
            height=sketch.HEIGHT,
            searches=searches,
            is_chosen=is_chosen,
            claims=claims,
            verdicts=Counter(claim["verdict"] for claim in claims),
            css=(HERE / "page.css").read_text(encoding="utf-8"),
            js=(HERE / "tables.js").read_text(encoding="utf-8"),
        )
    )
