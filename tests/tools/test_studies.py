from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_csv
from ilsvrc_replay.params import load_study
from ilsvrc_replay.tools import studies

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / studies.FOLDER, studies.FOLDER)
    return tmp_path


def test_no_edit_is_ever_lost(checkout: Path) -> None:
    assert studies.put_in_place("quick") is None
    study = studies.PARAMS.read_text()
    for number, name in enumerate(["params.yaml.before", "params.yaml.before.2", "params.yaml.before.3"]):
        studies.PARAMS.write_text(f"{study}# edit {number}\n")
        for _ in range(2):  # kept once
            assert studies.put_in_place("miniature") == Path(name)
            shutil.copy(name, studies.PARAMS)
    kept = sorted(checkout.glob("params.yaml.before*"))
    assert [path.read_text()[-2] for path in kept] == ["0", "1", "2"]
    studies.put_in_place("quick")
    assert studies.put_in_place("miniature") is None, "no edit, nothing to keep"


@pytest.mark.timeout(20)
def test_an_edit_is_kept_to_the_byte_whatever_it_holds(checkout: Path) -> None:
    for edited in (b"# caf\xe9\nstudy: mine\n", b"\xef\xbb\xbfstudy: mine\r\n"):
        studies.PARAMS.write_bytes(edited)
        assert studies.put_in_place("quick").read_bytes() == edited
    assert len(list(checkout.glob("params.yaml.before*"))) == 2


def test_elsewhere_there_are_no_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match="run from the repository's root"):
        studies.put_in_place("quick")


def test_what_is_kept_is_none_of_gits() -> None:
    for name in ("params.yaml.before", "params.yaml.before.2"):
        subprocess.check_call(["git", "check-ignore", "-q", name], cwd=ROOT)


def test_every_study_says_what_it_asks_and_takes(checkout: Path) -> None:
    known = studies.known()
    assert known.keys() == {path.stem for path in studies.FOLDER.glob("*.yaml")}
    assert all(
        question.endswith("?") and ("fetch" in takes or "own copy" in takes) for question, takes in known.values()
    )
    assert known["miniature"] == (
        "Does the whole machinery work on this machine?",
        "a minute on two CPU cores, nothing to fetch",
    )


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("# A study.\n#\n# Takes: an hour of\n# one core.\nstudy: x", "an hour of one core"),
        ("study: x\n# Takes: no.", ""),
    ],
)
def test_what_a_study_takes_stands_at_the_end_of_its_header(text: str, takes: str) -> None:
    assert studies.takes(text) == takes


def test_the_command_lists_them() -> None:
    said = subprocess.check_output(["replay", "use"], cwd=ROOT, text=True, env=os.environ)
    assert "Does the whole machinery work on this machine?" in " ".join(said.split())
    assert "replay plan STUDY" in said


@pytest.mark.parametrize("study", ["quick", "history"])
def test_a_study_has_the_rates_that_its_search_chose(study: str) -> None:
    trains = load_study(ROOT / f"pipelines/studies/{study}.yaml")
    tried = read_csv(ROOT / f"results/{study}-rates/tuning.csv")
    chosen = {row["entry"]: float(row["value"]) for row in tried if row["outcome"].startswith("chosen")}
    assert chosen == {entry: trains.given(entry, "lr") for entry in trains.entries if not trains.grids(entry)}
