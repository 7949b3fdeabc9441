"""Fetch original files: sources are tried in order, and every byte is verified, whichever of them answered.

Checksums are of the uncompressed content, as each source compresses it in its own way.
"""

from __future__ import annotations

import gzip
import http.client
import shutil
import subprocess
import tarfile
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from ilsvrc_replay.errors import FULL, StudyError, disk_trouble
from ilsvrc_replay.files import checksum, open_file

TIMEOUT = 20  # seconds without an answer


class SourceError(Exception):
    """Why one source could not give the files."""


Source = Callable[[Mapping[str, str], Path], None]


def acquire(data_set: str, checksums: Mapping[str, str], sources: Mapping[str, Source], target: Path) -> str:
    """Fill `target` with the files of `checksums` (name to sha256, or md5, of the uncompressed content) from the first
    source that gives them all whole; returns that source's name. Raises StudyError with every source's reason."""
    reasons = []
    for name, source in sources.items():
        try:
            source(checksums, target)
            verify(checksums, target)
            return name
        except SourceError as error:
            reasons.append(f"{name}: {error}")
    hint = "" if "dataset.folder" in sources else "; if you have the files, name their folder in dataset.folder"
    raise StudyError(f"{data_set} could not be acquired ({'; '.join(reasons)}){hint}")


def verify(checksums: Mapping[str, str], folder: Path) -> None:
    """Raises SourceError naming the first file that is missing or not the original."""
    for name, expected in checksums.items():
        if not (folder / name).is_file():
            raise SourceError(f"{name} is missing")
        algorithm = "md5" if len(expected) == 32 else "sha256"
        if checksum(folder / name, algorithm) != expected:
            raise SourceError(f"{name} is damaged or not the original: its {algorithm} differs")


def from_folder(folder: Path) -> Source:
    """The files as they lie in `folder`, plain or as .gz."""

    def source(checksums: Mapping[str, str], target: Path) -> None:
        if not folder.is_dir():
            raise SourceError(f"{folder} is not a folder")
        for name in checksums:
            plain, packed = folder / name, folder / f"{name}.gz"
            if plain.exists():
                try:
                    with opened(plain) as file, (target / name).open("wb") as copy:
                        shutil.copyfileobj(file, copy)
                except OSError as error:
                    raise failure(error, target / name, f"{plain} cannot be copied ({error.strerror})") from None
            elif packed.exists():
                decompress(packed, target / name)
            else:
                raise SourceError(f"{folder} holds neither {name} nor {name}.gz")

    return source


def from_mirror(url: str) -> Source:
    """`url` + name + ".gz" for each of the files."""

    def source(checksums: Mapping[str, str], target: Path) -> None:
        with TemporaryDirectory() as scratch:
            for name in checksums:
                packed = Path(scratch) / f"{name}.gz"
                download(f"{url}{name}.gz", packed)
                decompress(packed, target / name)

    return source


def from_url(url: str) -> Source:
    """The one file at `url`, as it is."""

    def source(checksums: Mapping[str, str], target: Path) -> None:
        (name,) = checksums
        download(url, target / name)

    return source


def from_tar(path: Path, folder: str) -> Source:
    """The files under `folder` of a tar, however it is compressed; no other member is unpacked."""

    def source(checksums: Mapping[str, str], target: Path) -> None:
        try:
            with opened(path) as file, tarfile.open(fileobj=file) as archive:
                members = {member.name.removeprefix("./"): member for member in archive if member.isfile()}
                for name in checksums:
                    if f"{folder}/{name}" not in members:
                        raise SourceError(f"{path.name} does not hold {folder}/{name}")
                    with (target / name).open("wb") as copy:
                        shutil.copyfileobj(archive.extractfile(members[f"{folder}/{name}"]), copy)
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise failure(error, target, f"{path.name} is damaged ({error})") from None

    return source


def from_tar_at(url: str, folder: str) -> Source:
    """The files under `folder` of the tar at `url`."""

    def source(checksums: Mapping[str, str], target: Path) -> None:
        with TemporaryDirectory() as scratch:
            path = Path(scratch) / url.rpartition("/")[2]
            download(url, path)
            from_tar(path, folder)(checksums, target)

    return source


def from_debian_package(package: str, folder: str) -> Source:
    """The files under `folder` of a Debian or Ubuntu package, which is fetched and unpacked but not installed.

    The package lists are fetched into a scratch folder: neither root nor up-to-date lists are needed, and the system
    stays as it is.
    """

    def source(checksums: Mapping[str, str], target: Path) -> None:
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise SourceError("this is not a Debian or Ubuntu system")
        with TemporaryDirectory() as scratch:
            root = Path(scratch)
            for part in ("lists/partial", "cache/archives/partial", "files"):
                (root / part).mkdir(parents=True)
            options = [
                *("-o", f"Dir::State::Lists={root}/lists", "-o", f"Dir::Cache={root}/cache"),
                *("-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="),
                *("-o", f"Acquire::http::Timeout={TIMEOUT}", "-o", "Acquire::Retries=1"),
            ]
            run(["apt-get", *options, "update"], root)
            run(["apt-get", *options, "download", package], root)
            for archive in root.glob("*.deb"):
                run(["dpkg-deb", "-x", str(archive), "files"], root)
            from_folder(root / "files" / folder)(checksums, target)

    return source


def download(url: str, path: Path) -> None:
    """Raises SourceError, or StudyError if the disk is full."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, http.client.HTTPException) as error:  # also URLError, which is an OSError
        raise failure(error, path, f"no answer ({getattr(error, 'reason', error)})") from None


def run(command: list[str], folder: Path) -> None:
    """Raises SourceError with the last line of what a failed command said."""
    result = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        raise SourceError(f"{command[0]} failed: {lines[-1]}")


def decompress(packed: Path, target: Path) -> None:
    """Unpack a .gz. Raises SourceError, or StudyError if the disk is full."""
    try:
        with opened(packed) as file, gzip.open(file) as content, target.open("wb") as copy:
            shutil.copyfileobj(content, copy)
    except (EOFError, zlib.error, OSError) as error:
        raise failure(error, target, f"{packed.name} is damaged ({error})") from None


def opened(path: Path) -> BinaryIO:
    """The file, for reading. Raises SourceError if it is no regular file or cannot be read."""
    try:
        return open_file(path)
    except StudyError as error:
        raise SourceError(str(error)) from None


def failure(error: Exception, target: Path, reason: str) -> Exception:
    """What to raise if `target` was not filled: a StudyError for a full disk, else a SourceError with `reason`."""
    full = isinstance(error, OSError) and error.errno in FULL
    return disk_trouble(error, target) if full else SourceError(reason)
