"""What decides a result and DVC does not see by itself: versions of libraries, sources that differ by entry, and files
outside the checkout."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from ilsvrc_replay import datasets, nets
from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import files_below, name_of, sha256

PACKAGE = Path(nets.__file__).parents[1]


def versions(*libraries: str) -> dict[str, str]:
    """The installed versions, without the name of a build: 2.13.0+cpu and 2.13.0 are one version."""
    return {name: version(name).partition("+")[0] for name in libraries}


def code_of_net(architecture: str) -> dict[str, str]:
    """The checksums of the files in nets/ that make the net. Raises StudyError if there is no such net."""
    family = nets.family(architecture)
    return {} if family == nets.LIBRARY else checksums("nets", family)


def code_of_dataset(dataset: Dataset) -> dict[str, str]:
    """The checksums of the files in datasets/ that read the data set."""
    return checksums("datasets", datasets.file_name(dataset.name))


def checksums(room: str, module: str) -> dict[str, str]:
    """By path in the package: of a module, of its data files, and of what it imports from its own room."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        files = sorted((PACKAGE / room).glob(f"{name}.*"))
        found |= {str(path.relative_to(PACKAGE)): sha256(path) for path in files if path.suffix != ".pyc"}
        inside = imported(PACKAGE / room / f"{name}.py", f"{PACKAGE.name}.{room}")
        waiting += [other for other in inside if f"{room}/{other}.py" not in found]
    return dict(sorted(found.items()))


def imported(path: Path, package: str) -> Iterator[str]:
    """The modules of `package` that a source file imports."""
    modules = {other.stem for other in path.parent.glob("[a-z]*.py")}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            yield node.module.removeprefix(f"{package}.")


def of_file(path: Path) -> str:
    """The sha256 of a file of weights that the user names. Raises StudyError if it cannot be read."""
    try:
        return sha256(path)
    except StudyError as error:
        raise StudyError(f"weights {error}") from None


def of_folder(folder: Path | None) -> str | None:
    """A checksum of what lies in a folder of the user's, by names, sizes and times of change: their contents can be
    150 GB. What cannot be read counts as that; stage acquire refuses it if it is part of the data. None without a
    folder."""
    if folder is None or not folder.is_dir():
        return None
    digest = hashlib.sha256()

    def add(line: object) -> None:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))

    for path in files_below(folder, add):
        try:
            state = path.stat()
            add(f"{name_of(path.relative_to(folder))}\t{state.st_size}\t{state.st_mtime_ns}")
        except OSError as error:  # such as a link to nothing
            add(f"{name_of(path.relative_to(folder))}\t{error.strerror}")
    return digest.hexdigest()
