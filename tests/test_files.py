"""A file or folder is whole or absent, whatever ended the process that wrote it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import whole_file, whole_folder


def test_what_ends_badly_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inside").write_text("before")
    with pytest.raises(OSError, match="full"), whole_file(tmp_path / "file") as partial:
        partial.write_text("half")
        raise OSError("full")
    with pytest.raises(OSError, match="full"), whole_folder(tmp_path / "folder") as target:
        (target / "inside").write_text("half")
        raise OSError("full")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder", "inside"]
    assert {path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == {"before"}


KILLED = """if True:
    import os, signal, sys
    from pathlib import Path
    from ilsvrc_replay.files import whole_file, whole_folder
    folder = Path(sys.argv[1])
    with whole_folder(folder / "folder") as target, whole_file(folder / "file") as partial:
        (target / "half").touch()
        partial.touch()
        os.kill(os.getpid(), signal.SIGKILL)"""


def test_what_a_killed_process_left_is_gone_after_the_next_time(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment)
    assert ended.returncode == -signal.SIGKILL
    assert not (tmp_path / "file").exists()
    assert not (tmp_path / "folder").exists()
    with whole_folder(tmp_path / "folder") as target, whole_file(tmp_path / "file") as partial:
        (target / "inside").touch()
        partial.touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder", "inside"]


def test_arrays_are_written_in_the_same_bytes_by_every_python(tmp_path: Path) -> None:
    arrays = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "word": np.array("x")}
    files.write_npz(tmp_path / "arrays.npz", arrays)
    with np.load(tmp_path / "arrays.npz") as read:
        assert all(np.array_equal(read[name], array) for name, array in arrays.items())
    with zipfile.ZipFile(tmp_path / "arrays.npz") as archive:
        assert {member.extract_version for member in archive.infolist()} == {20}  # np.savez: 20 or 45, by Python
    assert files.sha256(tmp_path / "arrays.npz") == "f27f9ac76cbb70a07820048feb03818820216865def6da05625568cd44af9fec"


def test_only_regular_files_are_opened_and_what_else_there_is_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to("file")
    assert files.read_file(tmp_path / "link", 7) == b"content"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for path, reason in [
        (tmp_path / "pipe", "is a named pipe, not a file"),
        (tmp_path / "folder", "is a folder, not a file"),
        (Path("/dev/zero"), "is a device, not a file"),
        (tmp_path / "loop", "cannot be read: Too many levels of symbolic links"),
        (tmp_path / "gone", "cannot be read: No such file or directory"),
        (tmp_path / ("x" * 300), "cannot be read: File name too long"),
        (tmp_path / "a\0b", "cannot be read: embedded null byte"),
    ]:
        for read in (files.open_file, files.sha256):
            with pytest.raises(StudyError) as caught:
                read(path)
            assert str(caught.value) == f"{path} {reason}".replace("\0", r"\x00")
    with pytest.raises(StudyError, match=f"^{tmp_path}/file has 7 bytes, more than the 6 that are read$"):
        files.read_file(tmp_path / "file", 6)


def test_what_lies_below_a_folder_is_found_once_whatever_links_there_are(tmp_path: Path) -> None:
    for name in ("a/1", "a/.2", ".b/3", "c/d/4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c/a").symlink_to("../a")
    (tmp_path / "c/nothing").symlink_to("nowhere")
    found = [str(path.relative_to(tmp_path)) for path in files.files_below(tmp_path)]
    assert found == ["a/1", "c/a/1", "c/d/4", "c/nothing"]
    for number in range(3):
        (tmp_path / f"a/back{number}").symlink_to("../c")
    troubles = []
    found = [str(path.relative_to(tmp_path)) for path in files.files_below(tmp_path, troubles.append)]
    assert len(found) == len(set(found)) < 30
    assert f"{tmp_path}/a/back0/a is a link to a folder that it lies in: remove it" in map(str, troubles)
    with pytest.raises(StudyError, match="is a link to a folder that it lies in"):
        list(files.files_below(tmp_path))


def test_an_error_is_one_line_whatever_a_file_is_called() -> None:
    name = os.fsdecode(b"a\nb\x1b[2J caf\xe9")
    assert str(StudyError(f"{name}: bad – é")) == r"a\nb\x1b[2J caf\udce9: bad – é"
