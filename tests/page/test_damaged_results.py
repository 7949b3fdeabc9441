"""Results that were cut off or edited: a warning names them, and everything else is drawn, shown and gathered."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import board
from ilsvrc_replay.page import make
from ilsvrc_replay.params import load_study
from ilsvrc_replay.tools import gather, leaderboard_table, redraw

ROOT = Path(__file__).parents[2]
NAMES = ("claims", "quick")
Damage = Callable[[Path], object]


def cut(lines: int) -> Damage:
    return lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))


def in_mid_row(path: Path) -> None:
    path.write_text(path.read_text()[:-30])


def put(content: bytes) -> Damage:
    return lambda path: path.write_bytes(content)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: list[tuple[str, str, Damage]] = [
    ("curves.csv", "empty", put(b"")),
    ("curves.csv", "header alone", cut(1)),
    ("curves.csv", "some runs", cut(20)),
    ("curves.csv", "in the middle of a row", in_mid_row),
    ("curves.csv", "an unclosed quote", put(b'run,entry,seed,step,epoch\nalexnet-0,"alex')),
    ("curves.csv", "a NUL", put(b"run,entry,seed,step,ep\0och\nalexnet-0,alexnet,0,1,1\n")),
    ("curves.csv", "a long field", put(b"run,entry,seed,step,epoch\n" + b"x" * 200_000 + b"\n")),
    ("curves.csv", "a folder", make_folder),
    ("weights.csv", "two rows", cut(3)),
    ("leaderboard.json", "a list", put(b"[]")),
    ("leaderboard.json", "no keys", put(b"{}")),
    ("leaderboard.json", "a row without an error", put(b'{"baseline": {}, "rows": [{"entry": "a"}]}')),
    ("leaderboard.json", "lists in lists", put(b"[" * 100_000)),
    ("leaderboard.json", "a folder", make_folder),
    ("params.json", "a list", put(b"[]")),
]
DAMAGES = [pytest.param(name, damage, id=f"{name}: {what}") for name, what, damage in DAMAGES]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copytree(ROOT / "results" / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_damaged_results_are_left_out_with_a_warning(
    name: str, damage: Damage, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(root / "quick" / name)
    assert [folder.name for folder, _ in make.readable(root)] == ["claims"]
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"warning: {root / 'quick'}")
    assert name.partition(".")[0] in said or "field larger" in said


@pytest.mark.parametrize(("name", "damage"), [*DAMAGES, ("runs.json", put(b"[1]")), ("wrong.npz", put(b"PK"))])
def test_nothing_is_gathered_from_damaged_results_and_nothing_lost(name: str, damage: Damage, root: Path) -> None:
    study = load_study(ROOT / "pipelines/studies/quick.yaml")
    study = study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"ensembles": {}})})
    damage(root / "quick" / name)
    before = {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()}
    with pytest.raises(StudyError, match="another dataset"):
        gather.gather(study, root)
    assert {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()} == before


@pytest.mark.parametrize(("name", "damage"), [case for case in DAMAGES if "leaderboard" in case.id])
def test_a_damaged_board_is_not_shown(name: str, damage: Damage, root: Path) -> None:
    damage(root / "quick" / name)
    with pytest.raises(StudyError, match=r"is damaged .* makes it anew"):
        board.read(root / "quick")


def test_a_name_with_brackets_is_shown_as_it_is(root: Path) -> None:
    found = board.read(root / "quick")
    found["rows"][0]["entry"] = "[/]"
    console = Console(file=io.StringIO(), width=120)
    leaderboard_table.show(console, load_study(ROOT / "pipelines/studies/quick.yaml"), found, root)
    assert "[/]" in console.file.getvalue()


def test_without_the_judged_claims_the_list_says_where_to_run(root: Path) -> None:
    with pytest.raises(StudyError, match=r"built\.csv is missing: run from the repository's root"):
        redraw.index(root / "elsewhere")
