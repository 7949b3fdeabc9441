"""Where original files come from: several sources tried in order, every byte verified whichever of them answered."""

from __future__ import annotations

import gzip
import http.client
import shutil
import subprocess
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import sha256

TIMEOUT = 20  # seconds without an answer


class SourceError(Exception):
    """Why one source could not give the files."""


Source = Callable[[Mapping[str, str], Path], None]


def acquire(data_set: str, checksums: Mapping[str, str], sources: Mapping[str, Source], target: Path) -> str:
    """Fill `target` with the files of `checksums` (name to sha256 of the uncompressed content) from the first source
    that gives them all whole; returns that source's name. Raises StudyError with every source's reason."""
    reasons = []
    for name, source in sources.items():
        try:
            source(checksums, target)
            verify(checksums, target)
            return name
        except SourceError as error:
            reasons.append(f"{name}: {error}")
    raise StudyError(f"{data_set} could not be acquired ({'; '.join(reasons)})")


def verify(checksums: Mapping[str, str], folder: Path) -> None:
    """Raises SourceError naming the first file that is missing or not the original."""
    for name, checksum in checksums.items():
        if not (folder / name).is_file():
            raise SourceError(f"{name} is missing")
        if sha256(folder / name) != checksum:
            raise SourceError(f"{name} is damaged or not the original: its sha256 differs")


def from_folder(folder: Path) -> Source:
    """The files as they lie in `folder`, plain or as .gz."""

    def source(checksums: Mapping[str, str], target: Path) -> None:
        if not folder.is_dir():
            raise SourceError(f"{folder} is not a folder")
        for name in checksums:
            plain, packed = folder / name, folder / f"{name}.gz"
            if plain.is_file():
                try:
                    shutil.copyfile(plain, target / name)
                except OSError as error:
                    raise SourceError(f"{plain} cannot be copied ({error.strerror})") from None
            elif packed.is_file():
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
                try:
                    with (
                        urllib.request.urlopen(f"{url}{name}.gz", timeout=TIMEOUT) as answer,
                        packed.open("wb") as file,
                    ):
                        shutil.copyfileobj(answer, file)
                except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
                    raise SourceError(f"no answer ({getattr(error, 'reason', error)})") from None
                decompress(packed, target / name)

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


def run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        raise SourceError(f"{command[0]} failed: {lines[-1]}")


def decompress(packed: Path, target: Path) -> None:
    try:
        with gzip.open(packed) as content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
    except (EOFError, zlib.error, OSError) as error:
        raise SourceError(f"{packed.name} is damaged ({error})") from None
