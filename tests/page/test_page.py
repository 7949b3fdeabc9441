"""The page of a real miniature study, and DVC's plots of it, in a browser without a network."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Sight, browser, chromium, window
from clone import ROOT, Clone
from playwright.sync_api import Browser, Page

from ilsvrc_replay import files
from ilsvrc_replay.page import columns

FORMATS = {column.key: column for column in columns.COLUMNS}


@pytest.fixture(scope="module")
def results(clone: Clone) -> Path:
    return clone.folder / "results/miniature"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    chromium()
    with browser() as chrome:
        yield chrome


@pytest.fixture(scope="module")
def sight(chrome: Browser, results: Path) -> Iterator[Sight]:
    with window(chrome) as sight:
        sight.open(results / "index.html").wait_for_selector("body[data-ready]")
        yield sight


@pytest.fixture(scope="module")
def seen(sight: Sight) -> Page:
    return sight.page


def column(seen: Page, title: str) -> list[str]:
    """The texts of a column of the board, from top to bottom."""
    titles = [
        text.strip().replace("\u2011", "-") for text in seen.locator("#board-table thead button").all_inner_texts()
    ]
    cells = seen.locator(f"#board-table tbody tr > :nth-child({titles.index(title) + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_the_page_asks_for_nothing_and_complains_of_nothing(sight: Sight, results: Path) -> None:
    assert sight.requests == [(results / "index.html").as_uri()]
    assert sight.complaints == []


def test_every_chart_is_drawn(seen: Page) -> None:
    charts = seen.locator(".chart")
    assert charts.count() == 4 + 3  # history, steps, parts and cost, and a panel for each net
    for chart in charts.all():
        assert chart.locator("svg .mark-line path, svg .mark-symbol path").count() > 1
    assert seen.locator("#history-chart .mark-symbol path[tabindex='-1']").count() > 5


def test_every_number_of_the_board_is_the_csvs(seen: Page, results: Path) -> None:
    with (results / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    shown = seen.locator("#board-table tbody tr").all()
    assert len(shown) == len(rows) == 8
    for row, line in zip(rows, shown, strict=True):
        assert line.locator("th code").inner_text() == row["entry"]
        cells = line.locator("td").all()
        assert len(cells) >= 12
        for cell in cells:
            key, text = cell.get_attribute("data-key"), cell.inner_text().strip()
            if not FORMATS[key].number or row[key] == "":
                assert text == row[key]
            else:
                value = float(row[key])
                assert text == FORMATS[key].show(int(value) if value.is_integer() and "." not in row[key] else value)


def test_a_click_or_a_key_sorts_by_a_column(seen: Page) -> None:
    button = seen.get_by_role("button", name="parameters")
    heading = seen.locator("#board-table th", has=button)
    button.click()
    numbers = [int(text.replace(",", "")) for text in column(seen, "parameters")]
    assert heading.get_attribute("aria-sort") == "ascending"
    assert numbers == sorted(numbers)
    button.focus()
    seen.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [int(text.replace(",", "")) for text in column(seen, "parameters")] == numbers[::-1]
    assert seen.locator("#board-table th[aria-sort]").count() == 1
    seen.get_by_role("button", name="year").click()
    assert column(seen, "year") == sorted(column(seen, "year"))


def test_the_filter_leaves_the_rows_that_match(seen: Page) -> None:
    seen.fill("#filter", "zfnet googlenet")
    assert seen.locator("#board-table tbody tr:visible").count() == 0
    seen.fill("#filter", "pair ensemble")
    assert seen.locator("#board-table tbody tr:visible th code").all_inner_texts() == ["pair"]
    assert seen.locator("#shown").inner_text() == "1 of 8 rows"
    seen.fill("#filter", "modern")
    assert seen.locator("#board-table tbody tr:visible").count() == 4, "a column that is left out counts, too"
    seen.fill("#filter", "")
    assert seen.locator("#board-table tbody tr:visible").count() == 4


def test_the_switch_draws_the_curve_anew(seen: Page) -> None:
    chart = seen.locator("#history-chart")
    assert chart.get_attribute("data-drawn") == "history-relative"
    assert "published headline: ensemble, hidden test set" in chart.inner_text()
    seen.locator("input[name=history][value=top1]").check()
    seen.wait_for_selector("#history-chart[data-drawn=history-top1]")
    assert "published headline" not in chart.inner_text(), "headlines are top-5 errors"
    seen.locator("input[name=history][value=relative]").check()
    seen.wait_for_selector("#history-chart[data-drawn=history-relative]")


def test_the_keyboard_reads_a_point(seen: Page) -> None:
    point = seen.locator("#history-chart path[aria-label^='alexnet: ']").first
    point.focus()
    assert "500 test images of digits" in seen.locator("#history-chart + .readout").inner_text()
    before = seen.locator("#history-chart + .readout").inner_text()
    seen.keyboard.press("ArrowRight")
    assert seen.locator("#history-chart + .readout").inner_text() not in ("", before)
    assert seen.locator("#history-chart path[tabindex='0']").count() == 1, "one stop of Tab for a chart"


def test_each_row_tells_what_remakes_it_and_finds_it(seen: Page, clone: Clone) -> None:
    for name in ("alexnet", "zfnet"):
        weights = files.sha256(clone.folder / f"runs/{name}-0/weights.safetensors")
        trained = files.read_json(clone.folder / f"runs/{name}-0/training.json")
        seen.locator(f"#board-table th a[href='#remake-{name}']").first.click()
        said = seen.locator(f"#remake-{name}[open]").inner_text()
        assert f"dvc repro --force --single-item train@{name}-0 evaluate@{name}-0" in said
        assert f"tags.run = '{name}-0' and tags.weights_sha256 = '{weights}'" in said
        assert trained["processor"] in said


def test_a_phone_shows_every_rows_error(chrome: Browser, results: Path) -> None:
    with window(chrome, 390) as sight:
        phone = sight.open(results / "index.html")
        phone.wait_for_selector("body[data-ready]")
        rows = phone.locator("#board-table tbody tr:visible")
        assert rows.count() == 4
        for row in rows.all():
            box = row.locator("td[data-key=top1_err]").bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_down_only(chrome: Browser, results: Path, scheme: str) -> None:
    with window(chrome, 390, color_scheme=scheme) as sight:
        phone = sight.open(results / "index.html")
        phone.wait_for_selector("body[data-ready]")
        assert phone.evaluate("document.documentElement.scrollWidth") == 390
        ground = phone.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 22, 21)"}[scheme]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_check_of_accessibility_finds_nothing(chrome: Browser, results: Path, scheme: str) -> None:
    for page in (results / "index.html", ROOT / "results/index.html"):
        with window(chrome, color_scheme=scheme, bypass_csp=True) as sight:
            seen = sight.open(page)
            seen.wait_for_function("!document.querySelector('.chart') || document.body.dataset.ready")
            found = Axe().run(seen)
            assert found.violations_count == 0, found.generate_report()


def test_the_same_inputs_give_the_same_bytes_in_any_folder(clone: Clone, results: Path, tmp_path: Path) -> None:
    for name in ("data/viewer", "metrics", "pipelines", "resolved", "results", "runs", "src"):
        shutil.copytree(clone.folder / name, tmp_path / name)
    shutil.copy(clone.folder / "params.yaml", tmp_path)
    (tmp_path / "results/miniature/index.html").unlink()
    shutil.rmtree(tmp_path / "results/miniature/figures")
    clone.run("env", "-C", str(tmp_path), "python", "pipelines/page.py")
    made = [path.relative_to(results) for path in sorted(results.rglob("*")) if path.is_file()]
    assert {"index.html", "curves.csv", "figures/history.svg", "figures/curves.svg"} <= set(map(str, made))
    for name in made:
        assert (tmp_path / "results/miniature" / name).read_bytes() == (results / name).read_bytes(), name


def test_dvcs_plots_need_no_network(chrome: Browser, clone: Clone) -> None:
    clone.run("dvc", "plots", "show")
    with window(chrome) as sight:
        plots = sight.open(clone.folder / "dvc_plots/index.html")
        for title in ("Error on the held-out training images", "Error on the test images"):
            plots.get_by_text(title).wait_for()
        plots.wait_for_function("document.querySelectorAll('canvas, svg').length >= 2")
        assert len(sight.requests) == 1
        assert sight.complaints == []


def test_protocols_and_ensembles_are_kept_apart(sight: Sight) -> None:
    seen = sight.page
    rows = seen.locator("#board-table tbody tr:visible")
    for protocol in ("ten_crop", "single_crop"):
        seen.locator(f"input[name=protocol][value={protocol}]").check()
        assert set(rows.locator("td[data-key=protocol]").all_inner_texts()) == {protocol}
        assert sorted(rows.locator("th code").all_inner_texts()) == ["alexnet", "googlenet", "pair", "zfnet"]
        seen.wait_for_selector(f"#cost-chart path[aria-label^='pair, ensemble'][aria-label$='by {protocol}']")
        assert seen.locator("#cost-chart .mark-symbol path[tabindex]").count() == 4
    ensemble = rows.and_(seen.locator("[data-kind=ensemble]"))
    assert ensemble.locator(".badge").first.inner_text() == "ensemble"
    assert "alexnet-0 + zfnet-0" in ensemble.inner_text()
    seen.locator("input[name=protocol][value='']").check()
    assert rows.count() == 8
    seen.locator("#remake-pair summary").click()
    assert "alexnet-0 + zfnet-0" in seen.locator("#remake-pair").inner_text()


@pytest.mark.long
def test_a_rows_command_remakes_its_weights(clone: Clone) -> None:
    before = (clone.folder / "dvc.lock").read_bytes()
    said = clone.run("dvc", "repro", "--force", "--single-item", "train@zfnet-0", "evaluate@zfnet-0")
    assert "zfnet-0  epoch" in said
    assert (clone.folder / "dvc.lock").read_bytes() == before
