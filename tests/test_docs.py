"""What the README and docs/ say is so: their tables are those of results/, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clone import ROOT
from typer.main import get_command

from ilsvrc_replay.commands import app
from ilsvrc_replay.files import read_csv

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BOARD = read_csv(ROOT / "results/quick/leaderboard.csv")
STEPS = read_csv(ROOT / "results/quick/steps.csv")


def rows(header: str) -> list[list[str]]:
    """The cells of the README's table whose head begins so, without head and rule."""
    lines = README.partition(f"| {header} |")[2].splitlines()[2:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip().strip("`*") for cell in line.strip("|").split("|")] for line in table]


def percent(*numbers: str) -> list[str]:
    return [f"{float(number):.2f}" for number in numbers]


def test_the_board_is_that_of_results() -> None:
    shown = rows("year")
    assert len(shown) == len(BOARD)
    for cells, row in zip(shown, BOARD, strict=True):
        name, _, ensemble = cells[1].partition("*")
        assert (cells[0], name.strip("`")) == (row["year"], row["entry"])
        assert bool(ensemble) == (row["kind"] == "ensemble")
        assert cells[2] == f"{int(row['param_count']):,}"
        found = re.findall(r"\d+\.\d+", cells[3])
        assert found == percent(row["top1_err"], row["top1_err_low"], row["top1_err_high"])


def test_the_steps_are_those_of_results() -> None:
    shown = rows("step")
    assert len(shown) == len(STEPS)
    for cells, step in zip(shown, STEPS, strict=True):
        assert re.findall(r"\w+", cells[0]) == [step["before"], step["after"]]
        assert re.findall(r"-?\d+\.\d+", cells[2].replace("+", "")) == percent(
            step["change"], step["change_low"], step["change_high"]
        )
        assert cells[-1] == step["verdict"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads], target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_studies_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    known = set(get_command(app).commands)
    assert set(re.findall(r"\breplay ([a-z]+)", text.replace("ILSVRC Replay", ""))) <= known
    studies = {path.stem for path in (ROOT / "pipelines/studies").glob("*.yaml")}
    assert set(re.findall(r"replay use ([a-z][\w-]*)", text)) <= studies
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
