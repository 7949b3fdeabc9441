"""Every byte is verified whatever its source, and a bad one is named."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from ilsvrc_replay.datasets import fashion_mnist
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import archives, fetch

CONTENT = {"one": b"first file" * 1000, "two": b"second file" * 1000}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The two files, one plain and one packed."""
    path = tmp_path / "given"
    path.mkdir()
    (path / "one").write_bytes(CONTENT["one"])
    (path / "two.gz").write_bytes(gzip.compress(CONTENT["two"], 1))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on loopback and the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    for name, content in CONTENT.items():
        (served / f"{name}.gz").write_bytes(gzip.compress(content))
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", served
        server.shutdown()


def whole(target: Path) -> bool:
    return all((target / name).read_bytes() == content for name, content in CONTENT.items())


def test_a_folder_with_plain_and_packed_files(folder: Path, target: Path) -> None:
    assert fetch.acquire("set", CHECKSUMS, {"folder": fetch.from_folder(folder)}, target) == "folder"
    assert whole(target)


def test_a_mirror(mirror: tuple[str, Path], target: Path) -> None:
    assert fetch.acquire("set", CHECKSUMS, {"mirror": fetch.from_mirror(mirror[0])}, target) == "mirror"
    assert whole(target)


def test_the_next_source_is_tried_when_one_is_damaged(mirror: tuple[str, Path], folder: Path, target: Path) -> None:
    url, served = mirror
    (served / "two.gz").write_bytes(gzip.compress(b"not the second file"))
    tried = {"mirror": fetch.from_mirror(url), "folder": fetch.from_folder(folder)}
    assert fetch.acquire("set", CHECKSUMS, tried, target) == "folder"
    assert whole(target)


def test_a_truncated_download_is_named(mirror: tuple[str, Path], target: Path) -> None:
    url, served = mirror
    (served / "two.gz").write_bytes(gzip.compress(CONTENT["two"])[:-20])
    with pytest.raises(StudyError, match=r"set could not be acquired \(mirror: two.gz is damaged"):
        fetch.acquire("set", CHECKSUMS, {"mirror": fetch.from_mirror(url)}, target)


def test_every_source_that_failed_is_named_with_its_reason(folder: Path, target: Path, tmp_path: Path) -> None:
    (folder / "one").write_bytes(b"something else")
    tried = {
        "mirror": fetch.from_mirror("http://127.0.0.1:9/"),
        "folder": fetch.from_folder(folder),
        "other": fetch.from_folder(tmp_path / "nowhere"),
    }
    with pytest.raises(StudyError) as caught:
        fetch.acquire("set", CHECKSUMS, tried, target)
    message = str(caught.value)
    assert "mirror: no answer" in message
    assert "folder: one is damaged or not the original" in message
    assert "nowhere is not a folder" in message
    assert "\n" not in message


def test_reading_idx_files(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (5, 4, 3), dtype=np.uint8)
    path = tmp_path / "images"
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 5, 4, 3) + images.tobytes())
    assert np.array_equal(fashion_mnist.read_idx(path), images)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["one", "one.gz", "set.tar"])
def test_a_pipe_in_place_of_a_file_is_named_at_once(name: str, target: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    source = fetch.from_tar(tmp_path / name, "set") if name == "set.tar" else fetch.from_folder(tmp_path)
    with pytest.raises(StudyError, match=rf"set could not be acquired \(it: {tmp_path}/{name} is a named pipe"):
        fetch.acquire("set", CHECKSUMS, {"it": source}, target)
    for files in (archives.ZipFiles, archives.TarFiles):
        with pytest.raises(StudyError, match=f"^{tmp_path}/{name} is a named pipe"):
            files(tmp_path / name)
    with pytest.raises(StudyError, match=f"^{tmp_path}/{name} is a named pipe"):
        archives.FolderFiles(tmp_path, {name: "0"}).read(name)
