"""The package's rooms: what may import what, and that a name stands for one thing."""

from __future__ import annotations

import ast
from collections import Counter

import pytest
import sources
from clone import ROOT

import ilsvrc_replay

PACKAGE = ROOT / "src/ilsvrc_replay"
MODULES = sources.modules(PACKAGE)
GRAPH = {name: sources.imports(path, MODULES) for name, path in MODULES.items()}
ROOMS = [room.strip(" ,") for line in ilsvrc_replay.__doc__.split("alone:")[1].splitlines() for room in line.split()]


def test_every_room_has_its_place_in_the_order() -> None:
    assert sorted(ROOMS) == sorted({sources.room(name) for name in MODULES} - {""})


def test_no_import_runs_back_up() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in GRAPH.items()
        for other in others
        if (room := sources.room(other)) and room != sources.room(name)
        if ROOMS.index(room) > ROOMS.index(sources.room(name))
    ]
    assert wrong == []


def test_no_imports_run_in_a_circle() -> None:
    assert sources.circles(GRAPH) == []
    rooms: dict[str, set[str]] = {}
    for name, others in GRAPH.items():
        rooms.setdefault(sources.room(name), set()).update(sources.room(other) for other in others)
    assert sources.circles(rooms) == []


def test_the_root_holds_few_modules() -> None:
    single = [path.name for path in PACKAGE.glob("*.py") if path.stem != "__init__"]
    assert len(single) <= 10, single


def test_no_two_modules_have_one_name() -> None:
    names = Counter(name.split(".")[-1] for name in MODULES)
    assert [name for name, times in names.items() if times > 1] == []


def test_no_two_classes_have_one_name() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES.values()]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import ilsvrc_replay.files", {"ilsvrc_replay.files"}),
        ("from ilsvrc_replay import files as f, nothing", {"ilsvrc_replay", "ilsvrc_replay.files"}),
        ("def f():\n    from ilsvrc_replay.files import sha256", {"ilsvrc_replay.files"}),
        ("if TYPE_CHECKING:\n    import ilsvrc_replay.files\nelse:\n    import ilsvrc_replay", {"ilsvrc_replay"}),
    ],
)
def test_imports_are_found_wherever_they_stand(text: str, found: set[str]) -> None:
    assert set(sources.named(ast.parse(text))) & MODULES.keys() == found


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"elsewhere"}}
    assert sources.circles(graph) == [["a", "b", "c"]]
