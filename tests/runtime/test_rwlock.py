from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ilsvrc_replay.runtime import rwlock


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path / rwlock.FILE


def listing(*processes: tuple[int, str]) -> str:
    """A list in which each process reads one file and writes another."""
    names = [{"pid": pid, "cmd": command} for pid, command in processes]
    return json.dumps({"write": {f"/w{name['pid']}": name for name in names}, "read": {"/r": names}})


def listed() -> set[int]:
    return {process["pid"] for process in rwlock.named(json.loads(rwlock.FILE.read_bytes()))}


@pytest.fixture
def at_work() -> Iterator[tuple[int, str]]:
    """A process with the command line of a DVC."""
    with subprocess.Popen([sys.executable, "-c", "input()", "repro", "train@a"], stdin=subprocess.PIPE) as process:
        yield process.pid, "/elsewhere/dvc repro train@a"
        process.kill()


@pytest.mark.parametrize(
    "left",
    [
        "",
        '{"write": {',
        "[]",
        "null",
        '{"write": []}',
        '{"read": {"a": [{}]}}',
        '{"write": {"a": {"pid": "one", "cmd": "dvc"}}}',
    ],
)
def test_a_list_that_was_cut_off_is_removed(file: Path, left: str) -> None:
    file.write_text(left)
    assert rwlock.is_stale()
    rwlock.mend()
    assert not file.exists()
    rwlock.mend()  # there is nothing to do


def test_a_process_that_was_not_waited_for_holds_nothing_up(file: Path, at_work: tuple[int, str]) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        file.write_text(listing((process.pid, "dvc repro"), at_work))
        assert rwlock.is_stale()
        rwlock.mend()
        assert listed() == {at_work[0]}, "a process at work stays in the list"
        assert not rwlock.is_stale()


def test_another_process_that_has_got_the_number_holds_nothing_up(file: Path, at_work: tuple[int, str]) -> None:
    file.write_text(listing((os.getpid(), "/elsewhere/dvc repro"), at_work))
    rwlock.mend()
    assert listed() == {at_work[0]}
    file.write_text(listing((os.getpid(), "-c --wait-for-lock repro --single-item train@a-0")))
    rwlock.mend()
    assert listed() == set()


def test_processes_that_are_gone_are_left_to_dvc(file: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    file.write_text(listing((process.pid, "dvc repro")))
    before = file.read_bytes()
    rwlock.mend()
    assert file.read_bytes() == before
