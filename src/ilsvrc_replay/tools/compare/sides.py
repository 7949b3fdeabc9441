"""The two sides of a comparison: a study's results in the workspace, a commit, an experiment or a folder."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import board as boards
from ilsvrc_replay.leaderboard import wrong_images
from ilsvrc_replay.leaderboard.board import PARAMS_FILE, RUNS_FILE, parse_object
from ilsvrc_replay.params import load_study
from ilsvrc_replay.yaml_text import parse

WORKSPACE = "workspace"
NO_EXPERIMENTS = ("apply", "celery", "exec", "stash", "temp")  # what else DVC keeps under refs/exps
Reader = Callable[[str], bytes | None]  # a file's content by its path, None if it is not there


@dataclass(frozen=True)
class Side:
    """A study's results. `params`, `runs` (resolved) and `wrong` are None where they were not kept; `note` is a warning
    to the reader."""

    name: str
    board: dict[str, Any]
    params: dict[str, Any] | None
    runs: dict[str, Any] | None
    wrong: wrong_images.WrongImages | None
    note: str = ""

    @property
    def rows(self) -> dict[wrong_images.Key, dict[str, Any]]:
        return {(row["entry"], row["kind"], row["protocol"]): row for row in self.board["rows"]}


def find(name: str) -> Side:
    """The side called `name`: the word workspace, a results folder, a commit, branch or tag, or a DVC experiment.

    Raises StudyError that names the nearest ones if there is no such thing, or if it holds no leaderboard.
    """
    if name == WORKSPACE:
        return of_state(name, from_folder(Path()), load_study().model_dump(exclude_unset=True))
    if is_folder(name):
        return of_folder(Path(name))
    commit = resolve(name)
    read = from_commit(commit)
    content = read("params.yaml")
    if content is None:
        raise StudyError(f"{name} holds no params.yaml: it is no state of a study")
    try:
        params = parse(content.decode())
        params["study"]
    except (StudyError, UnicodeDecodeError, KeyError, TypeError):
        raise StudyError(f"params.yaml of {name} cannot be read") from None
    return of_state(name, read, params)


def is_folder(name: str) -> bool:
    try:
        return bool(name) and Path(name).is_dir()
    except OSError:  # longer than a name can be
        return False


def of_folder(folder: Path) -> Side:
    """A results folder by itself, or that of the study in a checkout's params.yaml."""
    if (folder / "params.yaml").is_file():
        return of_state(
            str(folder), from_folder(folder), load_study(folder / "params.yaml").model_dump(exclude_unset=True)
        )
    return of_results(str(folder), from_folder(folder), str(folder))


def of_state(name: str, read: Reader, params: dict[str, Any]) -> Side:
    """A whole state of the repository: params.yaml and the results of the study that it names."""
    folder = f"results/{params['study']}"
    side = of_results(name, lambda file: read(f"{folder}/{file}"), folder)
    if side.params is None:
        return replace(side, params=params)
    if side.params != params:
        note = f"{name}: params.yaml was changed after these results were made; `dvc repro` makes them anew"
        return replace(side, note=note)
    return side


def of_results(name: str, read: Reader, folder: str) -> Side:
    board = read("leaderboard.json")
    if board is None:
        raise StudyError(f"{name} holds no {Path(folder) / 'leaderboard.json'}: run `make study` or `dvc repro` there")
    params, runs, mistakes = read(PARAMS_FILE), read(RUNS_FILE), read(wrong_images.FILE)
    try:
        made_with, resolved = (None if content is None else parse_object(content) for content in (params, runs))
        if made_with is not None and not isinstance(made_with.get("entries"), dict):
            raise ValueError(f"{PARAMS_FILE} has no entries")
        if not all(isinstance(run, dict) for run in (resolved or {}).values()):
            raise ValueError(f"{RUNS_FILE} holds no runs")
        masks = None if mistakes is None else wrong_images.read(mistakes)
        return Side(name, boards.parse(board), made_with, resolved, masks)
    except ValueError as error:
        raise StudyError(f"the results of {name} in {folder} are damaged ({error}): `dvc repro -f aggregate`") from None


def from_folder(folder: Path) -> Reader:
    return lambda path: (folder / path).read_bytes() if (folder / path).is_file() else None


def from_commit(commit: str) -> Reader:
    def read(path: str) -> bytes | None:
        shown = git("cat-file", "blob", f"{commit}:./{path}")
        return shown.stdout if shown.returncode == 0 else None

    return read


def resolve(name: str) -> str:
    """The commit that `name` stands for. Raises StudyError with the nearest names if it stands for none."""
    if git("rev-parse", "--git-dir").returncode:
        raise StudyError(f"{name!r} is no folder, and without a git repository here there are no commits to look in")
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.decode().strip()
    experiments = [ref for ref in refs("refs/exps") if ref.split("/")[2] not in NO_EXPERIMENTS]
    same = [ref for ref in experiments if ref.rpartition("/")[2] == name]
    if len(same) > 1:  # DVC keeps names apart by the commit an experiment started from; it prefers the present one
        here = git("rev-parse", "HEAD").stdout.decode().strip()
        same = [ref for ref in same if "".join(ref.split("/")[2:4]) == here] or same
    if len(same) > 1:
        commits = [git("rev-parse", "--short", ref).stdout.decode().strip() for ref in same]
        raise StudyError(f"there are several experiments {name!r}: name one by its commit, {' or '.join(commits)}")
    if same:
        return git("rev-parse", same[0]).stdout.decode().strip()
    known = [WORKSPACE, *(ref.rpartition("/")[2] for ref in [*experiments, *refs("refs/heads"), *refs("refs/tags")])]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(dict.fromkeys(known))}"
    raise StudyError(f"{name!r} is no folder, commit, branch, tag or experiment; {hint}")


def refs(prefix: str) -> list[str]:
    """The full names of all git references below `prefix`."""
    return git("for-each-ref", "--format=%(refname)", prefix).stdout.decode().split()


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], capture_output=True)
    except FileNotFoundError:
        raise StudyError("git is not installed: only `workspace` and folders can be compared without it") from None
