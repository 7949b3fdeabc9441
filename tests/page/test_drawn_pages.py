"""The pages in git in a browser without a network: on a screen and a phone, light and dark, each control, and how much
they weigh."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Sight, browser, window
from clone import ROOT
from playwright.sync_api import Browser, Page

from ilsvrc_replay.page import columns

LIST = ROOT / "results/index.html"
STUDIES = sorted(ROOT.glob("results/*/index.html"))
MOST_BYTES = 1_500_000
MOST_SECONDS = 2.0  # of a processor, until all charts are drawn

of_studies = pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.parent.name)
of_all = pytest.mark.parametrize("path", [LIST, *STUDIES], ids=lambda path: path.parent.name)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as chrome:
        yield chrome


def look(sight: Sight, path: Path) -> Page:
    """The page, when its charts are drawn."""
    seen = sight.open(path)
    seen.wait_for_function("!document.querySelector('.chart') || document.body.dataset.ready")
    return seen


@of_all
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_accessible_fits_and_complains_of_nothing(
    chrome: Browser, path: Path, width: int, scheme: str
) -> None:
    with window(chrome, width, color_scheme=scheme, bypass_csp=True) as sight:
        seen = look(sight, path)
        assert sight.requests == [path.as_uri()]
        assert sight.complaints == []
        assert seen.evaluate("document.documentElement.scrollWidth") == width
        found = Axe().run(seen)
        assert found.violations_count == 0, found.generate_report()


@of_studies
def test_no_control_empties_a_page(chrome: Browser, path: Path) -> None:
    with window(chrome) as sight:
        seen = look(sight, path)
        for control in seen.locator(".switch input").all():
            control.check()
            seen.wait_for_function("document.querySelectorAll('.chart:empty').length == 0")
            assert seen.locator("#board-table tbody tr:visible").count() >= len(entries(path))
            for chart in seen.locator(".chart").all():
                assert chart.locator("svg .mark-symbol path").count() > 0
        assert sight.complaints == []


@of_studies
def test_every_number_of_a_board_is_its_csvs(chrome: Browser, path: Path) -> None:
    with (path.parent / "leaderboard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with window(chrome) as sight:
        shown = look(sight, path).evaluate(
            """[...document.querySelectorAll("#board-table tbody tr")].map((row) => Object.fromEntries(
                [...row.querySelectorAll("td")].map((cell) => [cell.dataset.key, cell.textContent.trim()])))"""
        )
    formats = {column.key: column for column in columns.COLUMNS}
    assert len(shown) == len(rows)
    for row, cells in zip(rows, shown, strict=True):
        for key, text in cells.items():
            if not formats[key].number or row[key] == "":
                assert text == row[key]
            else:
                value = float(row[key])
                assert text == formats[key].show(int(value) if value.is_integer() and "." not in row[key] else value)


@of_all
def test_a_page_weighs_little_and_is_drawn_soon(chrome: Browser, path: Path) -> None:
    assert path.stat().st_size <= MOST_BYTES
    with window(chrome) as sight:
        session = sight.page.context.new_cdp_session(sight.page)
        session.send("Performance.enable")
        look(sight, path)
        spent = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < spent["ProcessTime"] <= MOST_SECONDS


def entries(path: Path) -> set[str]:
    with (path.parent / "leaderboard.csv").open(encoding="utf-8") as file:
        return {row["entry"] for row in csv.DictReader(file) if row["kind"] == "single"}
