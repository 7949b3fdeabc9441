"""Lock files: held by one at a time, also where the holder removes them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime.scratch import locked, scratch


def test_another_holder_is_refused_or_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "folder/lock"
    with locked(path), pytest.raises(StudyError, match="in use"), locked(path, "in use"):
        raise AssertionError
    with locked(path, "in use"):
        pass


def test_who_waited_for_a_file_that_its_holder_removed_holds_the_new_one(tmp_path: Path) -> None:
    path, has, done = tmp_path / "lock", threading.Event(), threading.Event()

    def wait() -> None:
        with locked(path):
            has.set()
            assert done.wait(30)

    waiting = threading.Thread(target=wait)
    with locked(path):
        waiting.start()
        assert not has.wait(0.2)
        path.unlink()
    assert has.wait(30)
    with pytest.raises(StudyError, match="in use"), locked(path, "in use"):
        raise AssertionError
    done.set()
    waiting.join()


def test_what_stands_in_their_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lock").mkdir()
    with pytest.raises(StudyError, match="is a folder, where a lock belongs"), locked(tmp_path / "lock"):
        raise AssertionError
    (tmp_path / ".scratch").write_text("a file")
    with pytest.raises(StudyError, match="is no folder, or lies in none: move away"):
        scratch("launcher")
