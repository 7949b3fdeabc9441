from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ilsvrc_replay.runtime import rwlock


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    return tmp_path / rwlock.FILE


def listing(*pids: int) -> str:
    """A list in which each process reads one file and writes another."""
    names = [{"pid": pid, "cmd": "dvc repro"} for pid in pids]
    return json.dumps({"write": {f"/w{name['pid']}": name for name in names}, "read": {"/r": names}})


@pytest.mark.parametrize("left", ["", '{"write": {'])
def test_a_list_that_was_cut_off_is_removed(file: Path, left: str) -> None:
    file.write_text(left)
    rwlock.mend()
    assert not file.exists()
    rwlock.mend()  # there is nothing to do


def test_a_process_that_was_not_waited_for_holds_nothing_up(file: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        file.write_text(listing(process.pid, os.getpid()))
        rwlock.mend()
        assert file.exists(), "a process at work keeps the list"
        file.write_text(listing(process.pid))
        rwlock.mend()
        assert not file.exists()


def test_processes_that_are_gone_are_left_to_dvc(file: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    file.write_text(listing(process.pid))
    rwlock.mend()
    assert file.exists()
