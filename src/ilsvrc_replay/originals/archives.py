"""One way to read files by name, be they in a folder, a zip, a tar or the tars inside a tar.

Archives are read in place and never unpacked: a member whose name points outside can write nowhere, and ImageNet needs
no second 150 GB. `read` may be called from several threads at once; `key` is cheap and changes with the content.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Protocol

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import check_size, open_file, path_of, read_file

LARGEST_FILE = 2**29  # bytes of a file other than an archive: as many as decoding.LARGEST pixels have, uncompressed


class Files(Protocol):
    """`names()` of all files, sorted, with "/" between folders; of each the bytes, and a key that stands for them.

    `read` raises StudyError if a file is missing or damaged, or over LARGEST_FILE bytes.
    """

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes: ...

    def key(self, name: str) -> str: ...


class FolderFiles:
    """The files under `root` that a manifest lists (name to sha256), each verified as it is read."""

    def __init__(self, root: Path, checksums: Mapping[str, str]) -> None:
        self.root, self.checksums = root, checksums

    def names(self) -> list[str]:
        return sorted(self.checksums)

    def read(self, name: str) -> bytes:
        content = read_file(self.root / path_of(name), LARGEST_FILE)
        if hashlib.sha256(content).hexdigest() != self.checksums[name]:
            raise StudyError(f"{self.root / name} has changed since it was acquired: run `dvc repro --force acquire`")
        return content

    def key(self, name: str) -> str:
        return self.checksums[name]


class ZipFiles:
    """The members of a zip below its folder `inside`."""

    def __init__(self, path: Path, inside: str = "") -> None:
        self.path, self.inside = path, inside
        try:
            self.archive = zipfile.ZipFile(open_file(path))
        except (OSError, zipfile.BadZipFile) as error:
            raise StudyError(f"{path} is no whole zip: {error}") from None
        self.members = {
            member.filename.removeprefix(inside): member
            for member in self.archive.infolist()
            if member.filename.startswith(inside) and not member.is_dir()
        }

    def names(self) -> list[str]:
        return sorted(self.members)

    def read(self, name: str) -> bytes:
        check_size(f"{name} in {self.path}", self.members[name].file_size, LARGEST_FILE)
        try:
            return self.archive.read(self.members[name])
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:  # also an encrypted member
            raise StudyError(f"{self.path} is damaged at {name}: {error}") from None

    def key(self, name: str) -> str:
        member = self.members[name]
        return f"{member.CRC:08x}-{member.file_size}"


class ByteRange(NamedTuple):
    """Where a file lies in an archive, in bytes."""

    offset: int
    size: int


class TarFiles:
    """The files of an uncompressed tar; those of an inner <folder>.tar, as ILSVRC has one a class, are <folder>/<file>.

    The key of a file is its place: the archive as a whole is verified when it is acquired.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.ranges = path, {}
        try:
            with open_file(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
                for member in regular_files(archive):
                    place = ByteRange(member.offset_data, member.size)
                    if member.name.endswith(".tar"):
                        self.add_inner(member.name.removesuffix(".tar"), archive, member)
                    else:
                        self.ranges[member.name.removeprefix("./")] = place
        except (OSError, tarfile.TarError) as error:
            raise StudyError(f"{path} is no whole tar: {error}") from None

    def add_inner(self, folder: str, archive: tarfile.TarFile, outer: tarfile.TarInfo) -> None:
        with tarfile.open(fileobj=archive.extractfile(outer), mode="r:") as inner:
            for member in regular_files(inner):
                self.ranges[f"{folder}/{member.name}"] = ByteRange(outer.offset_data + member.offset_data, member.size)

    def names(self) -> list[str]:
        return sorted(self.ranges)

    def read(self, name: str) -> bytes:
        place = self.ranges[name]
        check_size(f"{name} in {self.path}", place.size, LARGEST_FILE)
        with open_file(self.path) as file:
            file.seek(place.offset)
            content = file.read(place.size)
        if len(content) != place.size:
            raise StudyError(f"{self.path} ends before {name} does: the file is truncated")
        return content

    def key(self, name: str) -> str:
        return f"{self.path.name}-{self.ranges[name].offset}-{self.ranges[name].size}"


class JoinedFiles:
    """Several of the above as folders of one: {"train": ..., "val": ...}."""

    def __init__(self, parts: Mapping[str, Files]) -> None:
        self.parts = parts

    def names(self) -> list[str]:
        return sorted(f"{folder}/{name}" for folder, part in self.parts.items() for name in part.names())

    def read(self, name: str) -> bytes:
        folder, _, rest = name.partition("/")
        return self.parts[folder].read(rest)

    def key(self, name: str) -> str:
        folder, _, rest = name.partition("/")
        return self.parts[folder].key(rest)


def regular_files(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """The members that are neither folders, links nor devices."""
    return [member for member in archive if member.isfile()]


def read_small_tar(content: bytes) -> dict[str, bytes]:
    """All files of a small tar, however it is compressed, by name."""
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        return {member.name.removeprefix("./"): archive.extractfile(member).read() for member in regular_files(archive)}
