"""How many small errors in the code that decides results do the tests find? `make mutation` says it.

A mutant is a copy of the project with one error in one room: an operator exchanged, a number changed, a condition
turned round, a call left out. It is killed if a test of that room fails. Of every room a sample is drawn, the same at
each call with the same `--seed`. The report names every mutant that survived: it shows a test that is missing, or code
that has no effect, or an error that changes speed alone.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src/ilsvrc_replay")
ROOMS = ("evaluation", "input", "leaderboard", "statistics", "training")  # each has its tests in tests/<room>
WANTED = 0.9  # of the mutants, killed
TIMEOUT = 600  # seconds, after which a mutant counts as killed: it hangs

EXCHANGED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    room: str
    path: Path
    line: int
    error: str  # what was changed, in words of the language
    text: str  # of the whole file


def mutants(room: str) -> list[Mutant]:
    """Every mutant of a room."""
    return [
        Mutant(room, path.relative_to(ROOT), line, error, text)
        for path in sorted((ROOT / PACKAGE / room).glob("*.py"))
        for line, error, text in mutated(path.read_text(encoding="utf-8"))
    ]


def mutated(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the error and the whole text of every mutant of a source file."""
    tree = ast.parse(text)
    for number, node in enumerate(found := list(executed(tree))):
        for changed, error in variants(node):
            other = copy.deepcopy(tree)
            replace(other, list(executed(other))[number], changed)
            yield node.lineno, error, ast.unparse(ast.fix_missing_locations(other))
    assert found or not text.strip()


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """The statements and expressions below `node` that run: no annotations, no docstrings, no messages of errors."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list") or isinstance(node, (ast.Raise, ast.ImportFrom)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, (ast.stmt, ast.expr)) and not isinstance(child, ast.JoinedStr):
                yield child
                yield from executed(child)


def variants(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Nodes in the place of `node`, each with one error."""
    was = ast.unparse(node).partition("\n")[0]
    for changed in changes(copy.deepcopy(node)):
        yield changed, f"{was}  ->  {ast.unparse(changed).partition(chr(10))[0]}"


def changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in EXCHANGED:
            yield ast.Compare(node.left, [EXCHANGED[type(operator)]()], node.comparators)
        case ast.BoolOp(op=operator):
            yield ast.BoolOp(EXCHANGED[type(operator)](), node.values)
        case ast.BinOp(op=operator) if type(operator) in EXCHANGED:
            yield ast.BinOp(node.left, EXCHANGED[type(operator)](), node.right)
        case ast.AugAssign(op=operator) if type(operator) in EXCHANGED:
            yield ast.AugAssign(node.target, EXCHANGED[type(operator)](), node.value)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.If() | ast.IfExp():
            yield type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.Expr(value=ast.Call()):
            yield ast.Pass()


def replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(item is old for item in value):
                setattr(parent, field, [new if item is old else item for item in value])


def checkout(folder: Path) -> Path:
    """A copy of the project's files."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    subprocess.check_call(["git", "init", "-q"], cwd=folder)
    return folder


def survives(folder: Path, mutant: Mutant | None, room: str) -> bool:
    """Whether the room's tests pass on a mutant, or on the project as it is."""
    if mutant:
        (folder / mutant.path).write_text(mutant.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/{room}"]
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=TIMEOUT)
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if mutant:
            shutil.copy2(ROOT / mutant.path, folder / mutant.path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rooms", nargs="*", default=ROOMS, help=f"of {', '.join(ROOMS)}")
    parser.add_argument("--sample", type=int, default=30, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=2, help="mutants that are tested at once")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(chosen.jobs) as pool:
        folders: queue.Queue[Path] = queue.Queue()
        for number in range(chosen.jobs):
            folders.put(checkout(Path(place) / str(number)))

        def tested(mutant: Mutant | None, room: str) -> bool:
            folder = folders.get()
            try:
                return survives(folder, mutant, room)
            finally:
                folders.put(folder)

        lowest = 1.0
        for room in chosen.rooms:
            if not tested(None, room):
                sys.exit(f"error: tests/{room} fails on the project as it is: mend that first")
            every = mutants(room)
            sample = random.Random(chosen.seed).sample(every, min(chosen.sample, len(every)))  # noqa: S311
            survivors = [m for m, alive in zip(sample, pool.map(tested, sample, [room] * len(sample))) if alive]  # noqa: B905
            score = 1 - len(survivors) / len(sample)
            lowest = min(lowest, score)
            print(f"{room}: {100 * score:.0f} % of {len(sample)} mutants killed, of {len(every)} that there are")
            for mutant in sorted(survivors, key=lambda mutant: (mutant.path, mutant.line)):
                print(f"  {mutant.path}:{mutant.line}  {mutant.error}", flush=True)
    sys.exit(lowest < WANTED)


if __name__ == "__main__":
    main()
