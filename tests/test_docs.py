"""What the README and docs/ say is so: their tables are those of results/, and what they name is there."""

from __future__ import annotations

import csv
import json
import re
import sys
import tomllib
from itertools import takewhile
from pathlib import Path

import pytest
from clone import ROOT, committed
from ruamel.yaml import YAML
from typer.main import get_command

import ilsvrc_replay
from ilsvrc_replay.commands import app
from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.params import Entry, Evaluation, Study
from ilsvrc_replay.run import Compute, Crop, Recipe, Schedule

sys.path.insert(0, str(ROOT / "docs/from_code"))
from reference import FOLDER
from reference import PAGES as MADE

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SAID = {page: page.read_text(encoding="utf-8") for page in PAGES}
FOUND = SAID[ROOT / "docs/explanation/studies.md"]
QUICK = FOUND.partition("\n## quick")[2]
BOARDS = {"history": README, "quick": QUICK}


def rows(text: str, header: str) -> list[dict[str, str]]:
    """The cells of the table whose head begins so, by the titles of its columns."""
    lines = takewhile(lambda line: line.startswith("|"), text[text.index(f"| {header} |") :].splitlines())
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(table[0], cells, strict=True)) for cells in table[2:]]


def results(study: str, name: str) -> list[dict[str, str]]:
    """A table of results/<study>, as committed."""
    return list(csv.DictReader(committed(f"results/{study}/{name}").decode().splitlines()))


def percent(*numbers: str) -> list[str]:
    return [f"{float(number):.2f}" for number in numbers]


def measured(study: str, entry: str, kind: str, protocol: str, *columns: str) -> str:
    """Errors of a row of results/<study>/leaderboard.csv, or a dash where there is no such row."""
    for row in results(study, "leaderboard.csv"):
        if (row["entry"], row["kind"], row["protocol"]) == (entry, kind, protocol):
            error, *interval = percent(*(row[column] for column in columns))
            return error + (f" ({'–'.join(interval)})" if interval else "")
    return "–"


ERROR = ("top1_err", "top1_err_low", "top1_err_high")
COLUMNS = {  # of these boards: which row of the results, and which of its columns
    "top-1 error % (95 %)": ("single", "single_crop", *ERROR),
    "three nets": ("ensemble", "single_crop", "top1_err"),
    "top-5: one crop": ("single", "single_crop", "top5_err"),
    "ten crops": ("single", "ten_crop", "top5_err"),
    "three nets, ten crops": ("ensemble", "ten_crop", "top5_err"),
}


@pytest.mark.parametrize("study", BOARDS)
def test_the_boards_are_those_of_results(study: str) -> None:
    shown = rows(BOARDS[study], "year")
    kept = ("single", "single_crop", "modern")
    nets = [r for r in results(study, "leaderboard.csv") if (r["kind"], r["protocol"], r["recipe"]) == kept]
    for cells, row in zip(shown, nets, strict=True):
        assert (cells["year"], cells["entry"]) == (row["year"], f"`{row['entry']}`")
        assert cells["parameters"] == f"{int(row['param_count']):,}"
        for title in COLUMNS.keys() & cells.keys():
            assert cells[title] == measured(study, row["entry"], *COLUMNS[title]), title
        published = {"ImageNet: one net": "single_top5_err", "ImageNet: one net, top-1": "single_top1_err"}
        published |= {"ensemble": "headline_top5_err", "ensemble, top-5": "headline_top5_err"}
        for title in published.keys() & cells.keys():
            assert cells[title] == (row[published[title]] or "–"), title


def test_the_readmes_steps_are_those_of_results() -> None:
    steps = [step for step in results("history", "steps.csv") if step["protocol"] == "single_crop"]
    for cells, step in zip(rows(README, "step"), steps, strict=True):
        assert re.findall(r"\w+", cells["step"]) == [step["before"], step["after"]]
        assert re.findall(r"-?\d+\.\d+", cells["change in points (95 %)"].replace("+", "")) == percent(
            step["change"], step["change_low"], step["change_high"]
        )
        assert cells["verdict"] == step["verdict"]


def test_the_finding_has_the_numbers_of_results() -> None:
    found = " ".join(README.partition("**What it found.**")[2].partition("\n\n")[0].split())
    errors = {row["entry"]: float(row["top1_err"]) for row in results("history", "leaderboard.csv") if is_first(row)}
    assert f"AlexNet's {errors['alexnet']:.1f} to ResNet-50's {errors['resnet50']:.1f} %" in found
    eras = errors["alexnet-era"], errors["resnet50-era"]
    assert "AlexNet has an error of {:.1f} and ResNet-50 one of {:.1f} %".format(*eras) in found
    order = json.loads(committed("results/history/leaderboard.json"))["orders"][0]
    assert f"Kendall's tau {order['tau']:+.2f}, p = {order['p']:.2g}" in found
    steps = [step for step in results("history", "steps.csv") if step["protocol"] == "single_crop"]
    largest = min(steps, key=lambda step: float(step["change"]))
    assert largest["after"] == "bn_inception"
    assert f"{-float(largest['change']):.1f} points, is that to BN-Inception" in found
    assert [step["after"] for step in steps if float(step["change"]) > 0] == ["googlenet"]


def is_first(row: dict[str, str]) -> bool:
    return (row["kind"], row["protocol"]) == ("single", "single_crop")


def test_the_recipes_are_those_of_results() -> None:
    shown = rows(FOUND, "net")
    assert len(shown) == sum(row["recipe"] == "era" for row in results("history", "leaderboard.csv")) / 4
    for cells in shown:
        entry = cells["net"].strip("`")
        errors = [measured("history", name, "single", "single_crop", *ERROR) for name in (f"{entry}-era", entry)]
        assert [cells["its paper's recipe"], cells["`modern`"]] == errors
        era, modern = (float(error.split()[0]) for error in errors)
        assert cells["change in points"] == f"{modern - era:.2f}"


def test_the_second_look_at_the_first_step_is_that_of_results() -> None:
    step, _ = results("history-early", "steps.csv")
    for number in percent(*(step[key] for key in ("change", "change_low", "change_high"))):
        assert number in README
    for number in percent(*(step[key] for key in ("before_top1_err", "after_top1_err", "change", "change_low"))):
        assert number in FOUND
    crops = [("single", "single_crop"), ("single", "ten_crop"), ("ensemble", "ten_crop")]
    for kind, protocol in crops:
        assert f"{measured('history-early', 'alexnet', kind, protocol, 'top5_err')} %" in FOUND


def test_the_speeds_are_those_of_results() -> None:
    page = SAID[ROOT / "docs/reference/speed.md"]
    for cells, row in zip(rows(page, "net"), results("bench", "quick.csv"), strict=True):
        assert list(cells.values()) == [
            f"`{row['entry']}`",
            f"{float(row['loop_images_per_s']):,.0f}",
            f"{float(row['loop_share']):.0%}".replace("%", " %"),
            f"{float(row['project_images_per_s']):,.0f}",
            *percent(row["times_torchvision"], row["times_timm"]),
        ]
        assert (row["image_size"], row["precision"], row["cpu"]) == ("64", "fp32", "AMD EPYC")


def test_the_measured_claims_are_those_of_results() -> None:
    shown = rows(SAID[ROOT / "docs/explanation/verdicts.md"], "verdict")
    claims = [*results("claims", "measured.csv"), *results("claims-vgg", "measured.csv")]
    for cells, row in zip(shown, claims, strict=True):
        assert [cells[key] for key in ("verdict", "claim", "published")] == [
            row[key] for key in ("verdict", "claim", "published")
        ]
        assert row["figure"].startswith(f"{cells['measured']}, p = ")


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
    assert set(PAGES[1:]) <= linked


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


@pytest.mark.parametrize("name", MADE)
def test_pages_made_from_the_code_are_as_it_says(name: str) -> None:
    assert SAID[FOLDER / name] == MADE[name](), "run `make reference`"


def test_every_key_of_params_yaml_has_a_meaning() -> None:
    page = SAID[FOLDER / "params.md"]
    models = (Study, Dataset, Compute, Evaluation, Entry, Recipe, Schedule, Crop)
    keys = {key for model in models for key in model.model_fields}
    assert keys <= set(re.findall(r"^\| `(\w+)` \|(?:[^|]*\|){2} [^|]+ \|$", page, re.MULTILINE))


def test_every_command_is_in_the_reference() -> None:
    page = SAID[FOLDER / "commands.md"]
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
