"""What the README and docs/ say is so: their tables are those of results/, and what they name is there."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from clone import ROOT
from ruamel.yaml import YAML
from typer.main import get_command

import ilsvrc_replay
from ilsvrc_replay.commands import app
from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.files import read_csv
from ilsvrc_replay.params import Entry, Evaluation, Study
from ilsvrc_replay.run import Compute, Crop, Recipe, Schedule

sys.path.insert(0, str(ROOT / "docs/hooks"))
import command_pages
import key_tables

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SAID = {page: page.read_text(encoding="utf-8") for page in PAGES}
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
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", SAID[page]):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads], target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_studies_that_a_page_names_exist(page: Path) -> None:
    text = SAID[page]
    known = set(get_command(app).commands)
    assert set(re.findall(r"\breplay ([a-z]+)", text.replace("ILSVRC Replay", ""))) <= known
    studies = {path.stem for path in (ROOT / "pipelines/studies").glob("*.yaml")}
    assert set(re.findall(r"replay use ([a-z][\w-]*)", text)) <= studies
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_every_page_is_linked_to() -> None:
    linked = {(page.parent / path).resolve() for page in PAGES for path in re.findall(r"\]\(([^):#]+)", SAID[page])}
    assert set(PAGES[1:]) - linked == {ROOT / "docs/index.md"}  # which the site begins with


def test_the_stages_and_their_files_are_those_of_the_pipeline() -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    text = SAID[ROOT / "docs/reference/pipeline.md"]
    assert re.findall(r"^\| `([a-z]+)[`@]", text, re.MULTILINE) == list(stages)
    outs = [stage.get("do", stage)["outs"] for stage in stages.values()]
    paths = [path for found in outs for out in found for path in (out if isinstance(out, dict) else [out])]
    results = {path.rpartition("/")[2] for path in paths if path.startswith("results/${study}")}
    assert results == set(
        re.findall(
            r"`([\w]+(?:\.\w+)?)/?`",
            " ".join(re.findall(r"^\| (`.*?) \|", text.partition("## Files")[2], re.MULTILINE)),
        )
    )


def test_every_key_of_params_yaml_has_a_meaning() -> None:
    page = "\n".join(key_tables.sections())
    models = (Study, Dataset, Compute, Evaluation, Entry, Recipe, Schedule, Crop)
    keys = {key for model in models for key in model.model_fields}
    assert keys <= set(re.findall(r"^\| `(\w+)` \|(?:[^|]*\|){2} [^|]+ \|$", page, re.MULTILINE))


def test_every_command_is_in_the_reference() -> None:
    page = command_pages.commands()
    assert re.findall(r"^### `replay (\w+)`", page, re.MULTILINE) == list(get_command(app).commands)


def test_the_citation_is_of_this_version() -> None:
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (citation["version"], citation["license"]) == (ilsvrc_replay.__version__, project["license"])
    assert project["description"] in citation["title"].replace(": the", ": The")
    assert re.search(
        rf"calls itself {re.escape(ilsvrc_replay.__version__)}|^## \[{re.escape(ilsvrc_replay.__version__)}\]",
        SAID[ROOT / "CHANGELOG.md"],
        re.MULTILINE,
    )
