"""What MLflow shows of a study in a browser: `replay ui` leads to the runs and their errors."""

from __future__ import annotations

import json

from browser import browser, window
from clone import Clone
from serving import served

NOBODY = (
    "/mlflow/users/current"  # a server without accounts does not know who asks, which its own page takes for an error
)


def test_mlflow_opens_on_the_finding_and_the_errors(clone: Clone) -> None:
    board = json.loads((clone.folder / "results/miniature/leaderboard.json").read_text(encoding="utf-8"))
    with served(clone) as address, browser() as chrome, window(chrome, offline=False) as sight:
        answers: list[tuple[int, str]] = []
        sight.page.on("response", lambda answer: answers.append((answer.status, answer.url)))
        sight.page.goto(address)
        for row in board["rows"]:
            if row["kind"] == "single":
                sight.page.get_by_text(row["entry"]).first.wait_for()
        sight.page.get_by_text("test/single_crop").first.wait_for()
        shown = sight.page.inner_text("body")
        assert all(sentence in shown for sentence in board["finding"])
        server = address.partition("/#")[0]
        assert all(url.startswith((server, "data:", "blob:")) for url in sight.requests)
        assert [url for status, url in answers if status >= 400 and not url.endswith(NOBODY)] == []
        errors = [line for line in sight.complaints if not line.startswith("warning: ")]
        assert [line for line in errors if "404 (Not Found)" not in line] == []
