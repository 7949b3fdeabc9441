"""The pages in git in a browser without a network: on a screen and a phone, light and dark, each control, and how much
they weigh."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Sight, browser, window
from clone import ROOT
from playwright.sync_api import Browser

from ilsvrc_replay.page import columns

PAGES = [ROOT / "results/index.html", *sorted(ROOT.glob("results/*/index.html"))]
FORMATS = {column.key: column for column in columns.COLUMNS}
MOST_BYTES = 1_500_000
MOST_SECONDS = 2.0  # of a processor, until all charts are drawn


class Drawn(NamedTuple):
    """A page with its charts drawn, which took `seconds` of a processor."""

    path: Path
    sight: Sight
    seconds: float

    @property
    def rows(self) -> list[dict[str, str]]:
        """The board of its study; none of the list of studies."""
        board = self.path.with_name("leaderboard.csv")
        return list(csv.DictReader(board.read_text(encoding="utf-8").splitlines())) if board.exists() else []


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as chrome:
        yield chrome


@pytest.fixture(scope="module", params=PAGES, ids=lambda path: path.parent.name)
def drawn(chrome: Browser, request: pytest.FixtureRequest) -> Iterator[Drawn]:
    with window(chrome, bypass_csp=True) as sight:
        session = sight.page.context.new_cdp_session(sight.page)
        session.send("Performance.enable")
        seen = sight.open(request.param)
        seen.wait_for_function("!document.querySelector('.chart') || document.body.dataset.ready")
        spent = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
        yield Drawn(request.param, sight, spent["ProcessTime"])


def test_a_page_weighs_little_and_is_drawn_soon(drawn: Drawn) -> None:
    assert drawn.path.stat().st_size <= MOST_BYTES
    assert 0 < drawn.seconds <= MOST_SECONDS


def test_every_number_of_a_board_is_its_csvs(drawn: Drawn) -> None:
    shown = drawn.sight.page.evaluate(
        """[...document.querySelectorAll("#board-table tbody tr")].map((row) => Object.fromEntries(
            [...row.querySelectorAll("td")].map((cell) => [cell.dataset.key, cell.textContent.trim()])))"""
    )
    for row, cells in zip(drawn.rows, shown, strict=True):
        for key, text in cells.items():
            if not FORMATS[key].number or row[key] == "":
                assert text == row[key]
            else:
                value = float(row[key])
                assert text == FORMATS[key].show(int(value) if value.is_integer() and "." not in row[key] else value)


def test_no_control_empties_a_page(drawn: Drawn) -> None:
    seen, nets = drawn.sight.page, {row["entry"] for row in drawn.rows if row["kind"] == "single"}
    for control in seen.locator(".switch input").all():
        control.check()
        seen.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('.mark-symbol path'))"
        )
        assert seen.locator("#board-table tbody tr:visible").count() >= len(nets)


def test_a_page_is_accessible_and_fits_light_and_dark(drawn: Drawn) -> None:
    seen = drawn.sight.page
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "dark")):
        seen.set_viewport_size({"width": width, "height": 900})
        seen.emulate_media(color_scheme=scheme)
        found = Axe().run(seen)
        assert found.violations_count == 0, found.generate_report()
        assert seen.evaluate("document.documentElement.scrollWidth") == width


def test_a_page_asks_for_nothing_and_complains_of_nothing(drawn: Drawn) -> None:
    assert drawn.sight.requests == [drawn.path.as_uri()]
    assert drawn.sight.complaints == []
