"""The package's modules and what they import, read from their text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

NAME = "ilsvrc_replay"


def modules(package: Path) -> dict[str, Path]:
    """Every module of the package in the folder `package`, by its full name; a package by its own."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of `known` that a file imports, also within functions, but not for the types alone."""
    return {name for name in named(ast.parse(path.read_text(encoding="utf-8"))) if name in known}


def named(node: ast.AST) -> Iterator[str]:
    """Every name that a tree may import: of `from a import b` both a and a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield str(node.module)
    types_alone = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for inner in node.orelse if types_alone else ast.iter_child_nodes(node):
        yield from named(inner)


def reached(known: dict[str, Path], *paths: Path) -> set[str]:
    """The modules of `known` that files bring in, directly or by one another, with the packages that hold them."""
    found: set[str] = set()
    waiting = {name for path in paths for name in imports(path, known)}
    while waiting:
        name = waiting.pop()
        found.add(name)
        parts = name.split(".")
        above = {".".join(parts[:end]) for end in range(1, len(parts))} & known.keys()
        waiting |= (imports(known[name], known) | above) - found
    return found


def room(name: str) -> str:
    """The folder, or the single file, at the package's root that a module is or lies in."""
    return name.split(".")[1] if "." in name else ""


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The groups of two or more names each of which leads to all others of its group."""
    reach = {name: {name} for name in graph}
    for _ in graph:
        grown = {name: seen.union(*(graph[other] for other in seen)) & graph.keys() for name, seen in reach.items()}
        if grown == reach:
            break
        reach = grown
    groups = {tuple(sorted(o for o in seen if name in reach[o])) for name, seen in reach.items()}
    return sorted(list(group) for group in groups if len(group) > 1)
