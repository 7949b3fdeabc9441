"""A folder of images with nasty files, one at a time: each is refused in one line within two seconds or handled by the
rules of class_folders.py and decoding.py, and the folder stays as it was.

Everything runs in this process, whose libraries are loaded: two seconds are for the list of the folder, its checksums
and the packing of its eight images.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import drawn
import numpy as np
import pytest
from PIL import Image
from rights import ordinary_user

from ilsvrc_replay.datasets import imagefolder
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.originals import archives, decoding
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.prepare import pack_images
from ilsvrc_replay.recipes import fingerprints

pytestmark = pytest.mark.timeout(60)
SIZE, SECONDS = 24, 2
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n0 0 40 30 rectfill\nshowpage\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30"/></svg>'
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
GREY16 = (np.arange(40 * 30).reshape(30, 40) * 50).astype(np.uint16)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    content = BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png(rows: np.ndarray, color: int) -> bytes:
    """A PNG of 16 bits a channel: uint16 (H, W, C), of colour type `color`. Pillow writes none in colour."""
    height, width, _ = rows.shape
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0),
        b"IDAT": zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)),
        b"IEND": b"",
    }
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def huge_header() -> bytes:
    """A PNG of a few bytes that says it has 60,000 x 60,000 px."""
    content = bytearray(saved(Image.new("L", (8, 8)), "PNG"))
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def zipped() -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.jpg", drawn.jpeg(0, 0))
    return content.getvalue()


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def unreadable(path: Path) -> None:
    drawn.write(path, drawn.jpeg(0, 9))
    path.chmod(0)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)  # names of sockets are short
        server.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


def file(content: bytes) -> Callable[[Path], None]:
    return lambda path: drawn.write(path, content)


def folder(path: Path) -> None:
    drawn.write(path / "inside.jpg", drawn.jpeg(0, 9))


# What is put into the class `bar`, its name there, and how it is refused.
REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("x.jpg", file(b""), "is empty"),
    "text": ("x.jpg", file(b"a cat\n" * 100), "is no image of a kind that is read"),
    "truncated": ("x.jpg", file(drawn.jpeg(0, 9)[:-200]), "is damaged"),
    "EPS": ("x.jpg", file(EPS), "is no image of a kind that is read"),
    "zip": ("x.jpg", file(zipped()), "is no image of a kind that is read"),
    "SVG": ("x.png", file(SVG), "is no image of a kind that is read"),
    "HEIC": ("x.jpg", file(HEIC), "is no image of a kind that is read"),
    "pipe": ("x.jpg", os.mkfifo, "is a named pipe, not a file"),
    "socket": ("x.jpg", bound, "is a socket, not a file"),
    "link to a pipe": ("x.jpg", lambda path: (os.mkfifo(path.with_name(".p")), path.symlink_to(".p")), "a named pipe"),
    "link to a device": ("x.jpg", lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    "link to nothing": ("x.jpg", lambda path: path.symlink_to("nowhere"), "cannot be read: No such file"),
    "link to itself": ("x.jpg", lambda path: path.symlink_to("x.jpg"), "cannot be read: Too many levels"),
    "link to a folder above": ("x.jpg", lambda path: path.symlink_to("../.."), "is a link to a folder that it lies in"),
    "unreadable": ("x.jpg", unreadable, "cannot be read: Permission denied"),
    "unreadable folder": ("x", lambda path: path.mkdir(mode=0), "cannot be read: Permission denied"),
    "float TIFF": ("x.tif", file(saved(Image.fromarray(GREY16 / np.float32(9e4)), "TIFF")), "has 32 bits a channel"),
    "int32 TIFF": ("x.tif", file(saved(Image.fromarray(GREY16.astype(np.int32)), "TIFF")), "has 32 bits a channel"),
    "float PFM": ("x.ppm", file(saved(Image.fromarray(GREY16 / np.float32(9e4)), "PPM")), "has 32 bits a channel"),
    "huge by its header": ("x.png", file(huge_header()), "has too many pixels"),
    "huge and sparse": ("x.jpg", sparse, "has 1,099,511,627,776 bytes, more than"),
    "elongated": ("x.png", file(saved(Image.new("RGB", (1, 3000)), "PNG")), "is 1 x 3000 px, a line"),
    "text with a newline in its name": ("x\ny.jpg", file(b"a cat"), "x\\ny.jpg is no image"),
    "text with a name of Latin-1": (os.fsdecode(b"caf\xe9.jpg"), file(b"a cat"), "caf\\udce9.jpg is no image"),
}
# What is counted of the eight images then.
HANDLED: dict[str, tuple[str, Callable[[Path], object], dict[str, int]]] = {
    "CMYK": ("x.jpg", file(drawn.jpeg(0, 9, "CMYK")), {"cmyk": 1}),
    "palette with transparency": (
        "x.png",
        file(saved(drawn.drawing(0, 9).quantize(4), "PNG", transparency=0)),
        {"palette": 1, "transparent": 1},
    ),
    "GIF of several frames": (
        "x.gif",
        file(
            saved(drawn.drawing(0, 9), "GIF", save_all=True, append_images=[drawn.drawing(1, n) for n in range(3)]),
        ),
        {"palette": 1},
    ),
    "EXIF that rotates": ("x.jpg", file(saved(drawn.drawing(0, 9), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")), {}),
    "16-bit grey": ("x.png", file(saved(Image.fromarray(GREY16), "PNG")), {"16-bit": 1}),
    "16-bit grey TIFF": ("x.tif", file(saved(Image.fromarray(GREY16), "TIFF")), {"16-bit": 1}),
    "16-bit RGB": ("x.png", file(png(np.stack([GREY16] * 3, -1), 2)), {"16-bit": 1}),
    "16-bit RGBA": ("x.png", file(png(np.stack([GREY16] * 4, -1), 6)), {"16-bit": 1, "transparent": 1}),
    "16-bit PPM": ("x.ppm", file(b"P6\n40 30\n65535\n" + bytes(7200)), {"16-bit": 1}),
    "1-bit": ("x.png", file(saved(drawn.drawing(0, 9).convert("1"), "PNG")), {"grey": 1}),
    "WebP": ("x.webp", file(saved(drawn.drawing(0, 9), "WEBP")), {}),
    "WebP called JPEG": ("x.jpg", file(saved(drawn.drawing(0, 9), "WEBP")), {"other_format": 1}),
    "uppercase ending": ("X.JPG", file(drawn.jpeg(0, 9)), {}),
    "one pixel": ("x.png", file(saved(Image.new("RGB", (1, 1)), "PNG")), {}),
    "newline in its name": ("x\ny.jpg", file(drawn.jpeg(0, 9)), {}),
    "name of Latin-1": (os.fsdecode(b"caf\xe9.jpg"), file(drawn.jpeg(0, 9)), {}),
    "leading dash": ("-rf.jpg", file(drawn.jpeg(0, 9)), {}),
    "very long name": (f"{'x' * 251}.jpg", file(drawn.jpeg(0, 9)), {}),
    "folder called x.jpg": ("x.jpg", folder, {}),
}


@pytest.fixture
def place() -> Iterator[Path]:
    """images/ with six images in train and two in test, and the empty raw/ and packed/, where any user may write."""
    with TemporaryDirectory() as parent:
        root = Path(parent)
        drawn.folder_of_classes(root / "images", ("bar", "disc"), train=3, test=1)
        for name in ("raw", "packed"):
            (root / name).mkdir()
        for path in (root, root / "raw", root / "packed"):
            path.chmod(0o777)
        yield root
        for path in (path for path in root.rglob("*") if not path.is_symlink()):
            path.chmod(0o700)


def state(root: Path) -> dict[str, tuple[object, ...]]:
    """All that lies in a folder: kind, rights, times, and the content of files of a size that can be read."""
    found = {}
    for path in sorted(root.rglob("*")):
        here = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if small_file(path) else ""
        found[str(path)] = (here.st_mode, here.st_size, here.st_mtime_ns, here.st_ino, content)
    return found


def small_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size < 2**30 and os.access(path, os.R_OK)


def pack(place: Path) -> dict[str, object]:
    """Stages acquire and prepare, as an ordinary user."""
    with ordinary_user():
        fingerprints.of_folder(place / "images")  # as stage `resolve` does first
        imagefolder.acquire(place / "raw", place / "images")
        found = imagefolder.read(place / "raw", place / "images")
        return pack_images.pack(found, "imagefolder", SIZE, 2, place / "packed", threads=2)


@contextmanager
def as_it_was(place: Path) -> Iterator[None]:
    """Asserts that the block takes two seconds at the most and leaves the images as they are."""
    before, start = state(place / "images"), time.monotonic()
    yield
    assert time.monotonic() - start < SECONDS
    assert state(place / "images") == before


@pytest.mark.parametrize("kind", REFUSED)
def test_a_nasty_file_is_refused_in_a_line(kind: str, place: Path) -> None:
    name, make, named = REFUSED[kind]
    make(place / "images/train/bar" / name)
    with as_it_was(place), pytest.raises(StudyError) as caught:
        pack(place)
    line = str(caught.value)
    assert named in line, line
    assert name in line or not name.isprintable() or "link" in line, line
    assert line.isprintable()
    assert not (place / "packed/meta.json").exists()


@pytest.mark.parametrize("kind", HANDLED)
def test_an_odd_file_is_an_image_by_a_written_rule(kind: str, place: Path) -> None:
    name, make, counted = HANDLED[kind]
    make(place / "images/train/bar" / name)
    with as_it_was(place):
        meta = pack(place)
    assert meta["images"] == {"train": 5, "val": 2, "test": 2}
    assert meta["converted"] == counted


def test_hidden_files_and_files_of_other_names_take_no_part(place: Path) -> None:
    for name in (".x.jpg", ".hidden/x.jpg", "notes.txt", "archive.zip"):
        drawn.write(place / "images/train/bar" / name, b"no image")
    with as_it_was(place):
        meta = pack(place)
    assert (meta["images"]["train"], meta["left_out"]) == (4, {"no images": 2})


def test_a_class_of_any_name_is_kept(place: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    for part in ("train", "test"):
        (place / "images" / part / "bar").rename(place / "images" / part / name)
    with as_it_was(place):
        assert pack(place)["classes"] == [name, "disc"]
    assert packed_data.load(place / "packed").meta["classes"] == [name, "disc"]


@pytest.mark.parametrize("part", ["train", "test"])
def test_an_empty_or_unreadable_class_is_named(part: str, place: Path) -> None:
    folder = place / "images" / part / "cat"
    folder.mkdir()
    with pytest.raises(StudyError, match=rf"^imagefolder: {folder} holds no images"):
        pack(place)
    drawn.write(folder / "notes.txt", "no image")
    with pytest.raises(StudyError, match=rf"^imagefolder: {folder} holds no images"):
        pack(place)
    (place / "images" / part / "bar").chmod(0)
    with as_it_was(place), pytest.raises(StudyError, match=rf"^{place}/images/{part}/bar cannot be read: Permission"):
        pack(place)


def test_no_other_program_is_started(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands an EPS to Ghostscript, whatever it is called."""
    drawn.write(place / "bin/gs", f"#!/bin/sh\ntouch {place}/started\n")
    (place / "bin/gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}/bin:{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # or it remembers that there was none
    with pytest.raises(decoding.ImageError):
        decoding.square(EPS, "x.jpg", SIZE)
    assert not (place / "started").exists()
    with pytest.raises(OSError):
        Image.open(BytesIO(EPS)).load()
    assert (place / "started").exists(), "or the test would show nothing"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_of_an_archive_that_is_too_large_is_not_read(
    kind: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped() if kind == "zip" else drawn.tar({"a.jpg": drawn.jpeg(0, 0)})
    drawn.write(place / "archive", content)
    files = (archives.ZipFiles if kind == "zip" else archives.TarFiles)(place / "archive")
    assert files.read("a.jpg") == drawn.jpeg(0, 0)
    monkeypatch.setattr(archives, "LARGEST_FILE", 100)
    with pytest.raises(StudyError, match=r"a.jpg in .*/archive has \d+ bytes, more than the 100 that are read"):
        files.read("a.jpg")
