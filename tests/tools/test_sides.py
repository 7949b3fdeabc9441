"""Finding the sides of a comparison in a real git repository, with the references that DVC's experiments have."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import made_results as results
import pytest

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import load_study
from ilsvrc_replay.tools.compare import sides

STUDIES = Path(__file__).parents[2] / "pipelines/studies"
STUDY = load_study(STUDIES / "miniature.yaml").model_dump(exclude_unset=True) | {"study": "test"}
NET = {"architecture": "alexnet", "recipe": "modern", "width": 0.125, "compact": 2}


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test"]
    return subprocess.check_output(["git", *identity, *arguments], text=True).strip()


def put(errors: int, rate: float) -> None:
    """A study of one net, as its stages would leave it: so many mistakes at this learning rate."""
    study = STUDY | {"entries": {"net": NET | {"lr": rate}}}
    Path("params.yaml").write_text(json.dumps(study))
    results.write(Path("results/test"), {"net": results.mask(0, errors)}, study)


def commit() -> str:
    git("add", "-A")
    git("commit", "-q", "-m", "state")
    return git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """main with 100 mistakes, the experiment slower with 200, and a workspace with 300."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    put(100, 0.1)
    base = commit()
    git("tag", "first")
    put(200, 0.2)
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/slower", commit())
    git("update-ref", "refs/exps/exec/EXEC_HEAD", base)
    git("reset", "-q", "--hard", base)
    put(300, 0.3)
    return tmp_path


def test_every_kind_of_side_is_found(repository: Path) -> None:
    found = {name: sides.find(name) for name in ("HEAD", "main", "first", "slower", "workspace", "results/test", ".")}
    errors = {name: side.rows["net", "single", "single_crop"]["top1_err"] for name, side in found.items()}
    assert errors == {
        "HEAD": 10,
        "main": 10,
        "first": 10,
        "slower": 20,
        "workspace": 30,
        "results/test": 30,
        ".": 30,
    }
    assert found["slower"].params["entries"]["net"]["lr"] == 0.2
    assert found["slower"].wrong.masks["net", "single", "single_crop"].sum() == 200
    assert not any(side.note for side in found.values())


def test_a_side_is_found_from_a_checkout_within_a_repository(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "inner").mkdir()
    for name in ("params.yaml", "results"):
        (repository / name).rename(repository / "inner" / name)
    commit()
    monkeypatch.chdir(repository / "inner")
    assert sides.find("HEAD").rows["net", "single", "single_crop"]["top1_err"] == 30


def test_an_unknown_name_is_answered_with_the_nearest(repository: Path) -> None:
    with pytest.raises(StudyError, match=r"'slowr' is no folder, .* or experiment; did you mean slower\?"):
        sides.find("slowr")
    with pytest.raises(StudyError, match=r"there are workspace, slower, main, first$"):
        sides.find("xyz")
    with pytest.raises(StudyError, match="'--all' is no folder"):
        sides.find("--all")


def test_of_two_experiments_with_one_name_that_of_the_present_commit_is_meant(repository: Path) -> None:
    old = git("rev-parse", "HEAD")
    new = commit()
    put(400, 0.4)
    git("update-ref", f"refs/exps/{new[:2]}/{new[2:]}/slower", commit())
    with pytest.raises(StudyError, match=r"several experiments 'slower': name one by its commit, [0-9a-f]+ or "):
        sides.find("slower")
    git("reset", "-q", "--hard", new)
    assert sides.find("slower").rows["net", "single", "single_crop"]["top1_err"] == 40
    git("reset", "-q", "--hard", old)
    assert sides.find("slower").rows["net", "single", "single_crop"]["top1_err"] == 20


def test_params_that_were_edited_since_are_noted(repository: Path) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("0.3", "0.5"))
    side = sides.find("workspace")
    assert "params.yaml was changed after these results were made" in side.note
    assert side.params["entries"]["net"]["lr"] == 0.3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("leaderboard.json", text) for text in ("[]", "null", "{}", '{"rows": [1]}', '{"rows": []}', "[" * 100_000)),
        *(("params.json", text) for text in ("[1]", '"x"', "{}", "{")),
        *(("runs.json", text) for text in ("[1]", '"x"', '{"net": 1}')),
        ("wrong.npz", "not a zip file"),
    ],
)
def test_results_of_another_shape_are_damaged(repository: Path, name: str, content: str) -> None:
    Path("results/test", name).write_text(content)
    with pytest.raises(StudyError, match="the results of workspace in results/test are damaged") as caught:
        sides.find("workspace")
    assert "pickle" not in str(caught.value)


def test_a_name_that_no_folder_can_have(repository: Path) -> None:
    for name in ("x" * 5000, ""):
        with pytest.raises(StudyError, match="is no folder, commit"):
            sides.find(name)


def test_what_is_missing_or_damaged_is_named(repository: Path) -> None:
    Path("results/test/wrong.npz").write_bytes(b"PK damaged")
    with pytest.raises(StudyError, match="the results of workspace in results/test are damaged"):
        sides.find("workspace")
    Path("results/test/leaderboard.json").unlink()
    with pytest.raises(StudyError, match=r"workspace holds no results/test/leaderboard.json: run `make study`"):
        sides.find("workspace")
    git("rm", "-q", "--cached", "params.yaml")
    git("commit", "-q", "-m", "without")
    with pytest.raises(StudyError, match=r"HEAD holds no params\.yaml"):
        sides.find("HEAD")
