"""What lies outside the checkout is noticed when it changes, and nothing that lies there breaks that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import drawn
import pytest
from rights import ordinary_user

from ilsvrc_replay.recipes import fingerprints

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Images in two classes, with all that cannot be read beside them, in a place where any user may look."""
    with TemporaryDirectory() as parent:
        root = drawn.folder_of_classes(Path(parent) / "images", ("bar", "disc"), train=2, test=1)
        root.parent.chmod(0o755)
        os.mkfifo(root / "train/bar/pipe.jpg")
        (root / "train/bar/device.jpg").symlink_to("/dev/zero")
        (root / "train/bar/nothing.jpg").symlink_to("nowhere")
        (root / "train/bar/itself.jpg").symlink_to("itself.jpg")
        (root / "train/bar/above").symlink_to("../..")
        drawn.write(root / "train/bar/secret.jpg", drawn.jpeg(0, 9))
        (root / "train/bar/secret.jpg").chmod(0)
        drawn.write(root / "lost+found/1", "secret")
        (root / "lost+found").chmod(0)
        yield root
        (root / "lost+found").chmod(0o700)


CHANGES: dict[str, Callable[[Path], object]] = {
    "an image more": lambda root: drawn.write(root / "test/disc/9.jpg", drawn.jpeg(0, 9)),
    "an image less": lambda root: (root / "train/disc/0.jpg").unlink(),
    "another of the same length": lambda root: drawn.write(
        root / "train/disc/0.jpg", bytes(reversed((root / "train/disc/0.jpg").read_bytes()))
    ),
    "another name": lambda root: (root / "train/disc/0.jpg").rename(root / "train/disc/7.jpg"),
    "a class less": lambda root: shutil.rmtree(root / "test/disc"),
    "a folder that cannot be read any more": lambda root: (root / "test").chmod(0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_changed_has_another_fingerprint(change: str, folder: Path) -> None:
    with ordinary_user():
        before = [fingerprints.of_folder(folder) for _ in range(2)]
    assert before[0] == before[1]
    CHANGES[change](folder)
    with ordinary_user():
        assert fingerprints.of_folder(folder) != before[0]
    (folder / "test").chmod(0o755)
