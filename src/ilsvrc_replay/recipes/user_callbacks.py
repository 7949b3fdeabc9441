"""The callbacks that params.yaml names: whether they are there, and the files of the checkout that they are made of.

Nothing is imported for it: Lightning takes seconds, and stage `resolve` runs at every call.
"""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.util import decode_source
from pathlib import Path

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_file, sha256
from ilsvrc_replay.recipes.fingerprints import PACKAGE

LARGEST = 10_000_000  # bytes of a file of Python


def sources_of(callbacks: Iterable[str]) -> dict[str, str]:
    """The checksums of the files in the current folder that classes, by their dotted paths, are made of, with those
    that they import; by their paths there. Raises StudyError if there is no such module or class."""
    found: dict[str, str] = {}
    for path in callbacks:
        module, _, name = path.rpartition(".")
        file = locate(module)
        if file is None:
            raise StudyError(f"callbacks: {path}: there is no module {module}, neither installed nor in {Path.cwd()}")
        known = names(parsed(file))
        if name not in known and "*" not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise StudyError(f"callbacks: {module} has no {name}" + (f"; did you mean {near[0]}?" if near else ""))
        found |= {str(own.relative_to(Path.cwd())): sha256(own) for own in sources(file)}
    return dict(sorted(found.items()))


def locate(module: str) -> Path | None:
    """The file of a module that is installed or lies in the current folder."""
    folders: list[str] | None = [*sys.path, str(Path.cwd())]
    spec = None
    for end, _ in enumerate(parts := module.split("."), 1):
        spec = PathFinder.find_spec(".".join(parts[:end]), folders) if folders else None
        folders = list(spec.submodule_search_locations or []) if spec else None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def sources(file: Path) -> set[Path]:
    """A file and those that it imports, by one another, as far as they are the user's own in the current folder."""
    found: set[Path] = set()
    waiting = [file.resolve()]
    while waiting:
        path = waiting.pop()
        inside = path.is_relative_to(Path.cwd()) and not path.is_relative_to(PACKAGE.resolve())
        if path in found or not inside or "site-packages" in path.parts:
            continue
        found.add(path)
        for node in ast.walk(parsed(path)):
            waiting += [other.resolve() for other in imported(path, node)]
    return found


def imported(path: Path, node: ast.AST) -> Iterator[Path]:
    """The files of the modules that a statement in the file `path` imports, with the packages around them."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from around(alias.name)
    elif isinstance(node, ast.ImportFrom):
        names = [f"{node.module or ''}.{alias.name}".strip(".") for alias in node.names]  # which may be modules, too
        for name in [*([node.module] if node.module else []), *names]:
            if not node.level:
                yield from around(name)
            elif len(path.parents) >= node.level:
                place = path.parents[node.level - 1].joinpath(*name.split("."))
                yield from filter(Path.is_file, (place.with_name(f"{place.name}.py"), place / "__init__.py"))


def around(module: str) -> Iterator[Path]:
    """The files of a module and of the packages that it lies in."""
    parts = module.split(".")
    yield from filter(None, (locate(".".join(parts[:end])) for end in range(1, len(parts) + 1)))


def parsed(file: Path) -> ast.Module:
    """Raises StudyError if the file is no Python."""
    try:
        return ast.parse(decode_source(read_file(file, LARGEST)))
    except SyntaxError as error:
        raise StudyError(f"callbacks: {file}, line {error.lineno or 1}: {error.msg}") from None
    except ValueError as error:  # of another encoding, or with NUL bytes
        raise StudyError(f"callbacks: {file}: {error}") from None


def names(tree: ast.Module) -> list[str]:
    """What a module binds at its top level."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found += [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return found
