from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clone import ROOT

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import wrong_images
from ilsvrc_replay.leaderboard.trained_runs import WEIGHT_COLUMNS
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import as_trained, resolve_all
from ilsvrc_replay.tools.gather import gather

FILES = ("leaderboard.csv", "leaderboard.md", "steps.csv", "parts.csv", "curves.csv", "weights.csv", "wrong.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed results of the reference study, as if the code and the libraries of today had made them."""
    root = tmp_path_factory.mktemp("whole")
    archive = subprocess.check_output(["git", "archive", "HEAD", "results/history"], cwd=ROOT)
    subprocess.run(["tar", "-x", "-C", root], input=archive, check=True)  # Python's filters began with 3.11.4
    folder = root / "results/history"
    runs = resolve_all(study_of(folder))
    change(folder / "runs.json", lambda _: {name: as_trained(run).model_dump() for name, run in runs.items()})
    weights = [{"processor": "", **row} for row in files.read_csv(folder / "weights.csv")]
    files.write_text(folder / "weights.csv", files.as_csv(weights, WEIGHT_COLUMNS))
    return folder


@pytest.fixture
def parts(whole: Path, tmp_path: Path) -> Path:
    """Two studies, each of which ran some entries of the whole one and holds nothing of the others."""
    late = ("resnet50", "googlenet", "bn_inception", "resnet18", "alexnet-era", "bn_inception-era", "resnet18-era")
    part(whole, tmp_path / "late", late)
    part(whole, tmp_path / "early", ("vgg16", "alexnet", "zfnet", "resnet34", "mobilenet_v1", "resnet50-era"))
    return tmp_path


def part(whole: Path, folder: Path, entries: tuple[str, ...]) -> None:
    folder.mkdir()
    for path in whole.glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    for name in ("curves.csv", "weights.csv"):
        header, *lines = (folder / name).read_text().splitlines(keepends=True)
        (folder / name).write_text("".join([header, *(line for line in lines if line.startswith(entries))]))
    wrong = wrong_images.read((folder / "wrong.npz").read_bytes())
    masks = {key: mask for key, mask in wrong.masks.items() if key[0] in entries}
    wrong_images.write(folder / "wrong.npz", wrong._replace(masks=masks))
    change(folder / "runs.json", lambda runs: {name: runs[name] for name in entries})
    change(folder / "params.json", lambda params: params | {"entries": {n: params["entries"][n] for n in entries}})
    change(
        folder / "leaderboard.json",
        lambda board: board | {"steps": [], "rows": [row for row in board["rows"] if row["entry"] in entries]},
    )


def change(path: Path, edit: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))


def study_of(folder: Path, **edits: Any) -> Study:
    return Study.model_validate(json.loads((folder / "params.json").read_text()) | edits)


def test_parts_make_the_board_of_the_whole_to_the_byte(whole: Path, parts: Path) -> None:
    assert gather(study_of(whole), parts) == [parts / "early", parts / "late"]
    for name in FILES:
        assert (parts / "history" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_board_grows_by_what_another_study_ran(whole: Path, parts: Path) -> None:
    study = study_of(parts / "early", study="history")
    assert gather(study, parts) == [parts / "early"]
    (parts / "early").rename(parts.parent / f"{parts.name}-put-away")
    assert gather(study_of(whole), parts) == [parts / "history", parts / "late"]
    assert (parts / "history/leaderboard.csv").read_bytes() == (whole / "leaderboard.csv").read_bytes()


def test_what_no_part_ran_is_named(whole: Path, parts: Path) -> None:
    more = study_of(whole).model_dump(exclude_unset=True)
    more["entries"]["densenet121"] = {}
    with pytest.raises(StudyError, match=r"^entries\.densenet121: no folder of results has it\. Run it in a study of"):
        gather(Study.model_validate(more), parts)
    assert not (parts / "history").exists()


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"seeds": [0, 1]}, r"early has it with seeds \[0, 1, 2\], not \[0, 1\]"),
        ({"compact": 2}, "early has it with net.compact 1, not 2"),
        ({"evaluation": {"protocols": ["dense"], "batch_size": 500}}, "early has it with no dense"),
        (
            {"dataset": {"name": "tiny-imagenet", "image_size": 32, "val_images": 5000}},
            "early has it with another data",
        ),
    ],
)
def test_runs_that_differ_are_not_taken(whole: Path, parts: Path, edits: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=f"^entries.alexnet: .*{said}"):
        gather(study_of(whole, **edits), parts)


def test_runs_of_other_libraries_are_not_taken(whole: Path, parts: Path) -> None:
    def older(runs: dict[str, Any]) -> dict[str, Any]:
        runs["vgg16"]["versions"]["torch"] = "1.0"
        return runs

    change(parts / "early/runs.json", older)
    with pytest.raises(StudyError, match=r"^entries\.vgg16: .*early has it with versions\.torch 1\.0, not "):
        gather(study_of(whole), parts)


def test_other_test_images_make_no_board(whole: Path, parts: Path) -> None:
    wrong = wrong_images.read((parts / "late/wrong.npz").read_bytes())
    wrong_images.write(parts / "late/wrong.npz", wrong._replace(labels_sha256="0" * 64))
    with pytest.raises(StudyError, match=r"early and .*late were tested on different images"):
        gather(study_of(whole), parts)


def test_averages_of_several_entries_are_refused(whole: Path, parts: Path) -> None:
    evaluation = {
        "protocols": ["single_crop"],
        "batch_size": 500,
        "ensembles": {"two": {"members": ["alexnet", "vgg16"]}},
    }
    with pytest.raises(StudyError, match=r"^evaluation\.ensembles\.two needs predictions"):
        gather(study_of(whole, evaluation=evaluation), parts)


def test_a_searched_rate_is_the_one_that_was_chosen(whole: Path, parts: Path) -> None:
    params = study_of(whole).model_dump(exclude_unset=True)
    params["entries"]["alexnet"]["lr"] = {"search": [0.0005, 0.001]}
    searched = Study.model_validate(params)
    with pytest.raises(StudyError, match=r"entries\.alexnet: .*early has it with search"):
        gather(searched, parts)
    chosen = as_trained(resolve_all(searched)["alexnet"]).with_recipe(lr=0.001).model_dump()
    change(parts / "early/runs.json", lambda runs: runs | {"alexnet": chosen})
    gather(searched, parts)
    saved = json.loads((parts / "history/runs.json").read_text())
    assert saved["alexnet"]["recipe"]["lr"] == 0.001


@pytest.mark.parametrize(
    ("name", "content"), [("runs.json", "{"), ("runs.json", '{"alexnet": {}}'), ("wrong.npz", "PK, cut short")]
)
def test_damaged_results_are_left_out_with_a_warning(
    name: str, content: str, whole: Path, parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (parts / "early" / name).write_text(content)
    with pytest.raises(StudyError, match=r"^entries\.alexnet: no folder of results has it"):
        gather(study_of(whole), parts)
    assert f"warning: {parts / 'early'} cannot be taken from" in capsys.readouterr().err
