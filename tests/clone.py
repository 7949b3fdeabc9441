"""A working copy of the repository in a folder of its own, in which tests run whole studies."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from place import Place
from ruamel.yaml import YAML

from ilsvrc_replay.files import sha256
from ilsvrc_replay.runtime.scratch import locked

ROOT = Path(__file__).parents[1]
IDENTITY = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

NETS = ("alexnet", "zfnet", "googlenet")  # of the study that tests share
RESULTS = ("runs", "predictions", "metrics", "results", "data/packed", "data/raw")


def committed(path: str) -> bytes:
    """A file as it was last committed: a study that was run here since, on another kind of CPU, has other results."""
    return subprocess.check_output(["git", "show", f"HEAD:{path}"], cwd=ROOT)


class Clone(Place):
    """A working copy of the repository in a folder of its own, with no caches and no git identity of the user's.

    It is made where there is none yet.
    """

    def __init__(self, folder: Path) -> None:
        home, path = folder.parent / "home", f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {"HOME": str(home), "PATH": path, "PYTHONPATH": str(folder / "src"), "CI": "true"}
        super().__init__(folder, ("DVC_", "MLFLOW_", "GIT_", "REPLAY_"), **environment)
        if not (folder / ".git").exists():
            folder.mkdir(parents=True, exist_ok=True)
            home.mkdir()
            self.make()

    def make(self) -> None:
        folder = self.folder
        listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
        for name in filter(None, listed.split("\0")):
            kept = not name.startswith(("metrics/", "results/")) or name.startswith("results/claims/")
            if (ROOT / name).is_file() and name != "dvc.lock" and kept:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        self.run("git", "init", "-q", "-b", "main")
        self.keep_claims()
        self.edit("params.yaml", (folder / "pipelines/studies/miniature.yaml").read_text())
        self.commit()

    def twin(self, parent: Path) -> Clone:
        """A copy under `parent` of all that is here: results, caches, MLflow's store."""
        shutil.copytree(self.folder.parent, parent, symlinks=True, dirs_exist_ok=True)
        twin = Clone(parent / self.folder.name)
        with closing(sqlite3.connect(twin.folder / "mlflow.db")) as store, store:  # artifacts have absolute addresses
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                moved = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"  # noqa: S608
                store.execute(moved, (str(self.folder), str(twin.folder)))
        return twin

    def made(self) -> dict[str, Any]:
        """The sha256 of every result, and what dvc.lock records of every stage.

        DVC appends stages to the lock in the order in which they first end, which side by side is chance.
        """
        paths = [path for name in RESULTS for path in sorted((self.folder / name).rglob("*")) if path.is_file()]
        results = {str(path.relative_to(self.folder)): sha256(path) for path in paths}
        return results | dict(YAML(typ="safe").load(self.folder / "dvc.lock")["stages"])

    def keep_claims(self) -> None:
        """The repository's own record of stage claims, which no study changes: a clone need not measure them again."""
        yaml = YAML()
        lock = yaml.load(ROOT / "dvc.lock")
        lock["stages"] = {name: record for name, record in lock["stages"].items() if name == "claims"}
        yaml.dump(lock, self.folder / "dvc.lock")

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "state", **IDENTITY)

    def edit(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def set(self, key: str, value: object) -> None:
        """Set a dotted key of params.yaml; None removes it."""
        content = self.params()
        *parents, last = key.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
        YAML().dump(content, self.folder / "params.yaml")

    def keep(self, *entries: str) -> None:
        """Drop all other entries from params.yaml."""
        for name in set(self.params()["entries"]) - set(entries):
            self.set(f"entries.{name}", None)

    def params(self) -> dict:
        return YAML(typ="safe", pure=True).load((self.folder / "params.yaml").read_text())

    def lock(self) -> dict:
        return YAML(typ="safe", pure=True).load((self.folder / "dvc.lock").read_text())["stages"]

    def board(self, protocol: str = "single_crop") -> list[dict[str, str]]:
        """The rows of the nets, without ensembles."""
        with (self.folder / "results/miniature/leaderboard.csv").open() as file:
            rows = list(csv.DictReader(file))
        return [row for row in rows if row["protocol"] == protocol and row["kind"] != "ensemble"]


def finish(folder: Path) -> Clone:
    """The study that tests share, in folder/clone: three nets, two protocols, an ensemble. Made if it is not there.

    folder/said holds what `replay run` said, folder/noted/<stage> the modules that a stage loaded.
    """
    with locked(folder.with_suffix(".lock")):  # several processes of the tests may ask at once
        if not (folder / "said").exists():
            shutil.rmtree(folder, ignore_errors=True)
            clone = Clone(folder / "clone")
            clone.keep(*NETS)
            clone.set("evaluation.protocols", ["single_crop", "ten_crop"])
            clone.set("evaluation.ensembles", {"pair": {"members": ["alexnet", "zfnet"], "stands_for": "alexnet"}})
            noted = folder / "noted"
            noted.mkdir()
            noting = f"{ROOT / 'tests/noting'}:{clone.environment['PYTHONPATH']}"
            said = clone.run("replay", "run", "--jobs", "2", PYTHONPATH=noting, NOTED=str(noted))
            clone.commit()
            (folder / "said").write_text(said)
    return Clone(folder / "clone")


def read_until(process: subprocess.Popen, word: str) -> str:
    said = ""
    for line in process.stdout:
        said += line
        if word in line:
            return said
    raise AssertionError(f"it ended before it said {word!r}: {said}")


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(.*?)'", output)
