"""`replay doctor`: whether everything that a study needs is there, in a line each.

A check returns a Finding, or raises a StudyError, which counts as one. No check changes anything, and none uses the
network unless asked to.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError, first_line
from ilsvrc_replay.params import Study, load_study
from ilsvrc_replay.runtime import rwlock, tracking

FINE, NOTE, MISSING = "fine", "note", "missing"
LEAST_GIB, ENOUGH_GIB = 0.1, 2.0  # the smallest study, and fourteen small nets with their cache
TIMEOUT = 5  # seconds for a server to answer


class Finding(NamedTuple):
    """`missing` keeps a study from running; a `note` does not."""

    status: str
    text: str


def examine(network: bool) -> Iterator[tuple[str, Finding]]:
    """Each check's name and finding, in the order in which problems are best mended."""
    try:
        study, params = load_study(), None
    except StudyError as error:
        study, params = None, Finding(MISSING, str(error))
    checks: dict[str, Callable[[], Finding]] = {
        "Python": python,
        "git": git,
        "DVC": dvc,
        "PyTorch": torch,
        "torchvision": torchvision,
        "GPU": lambda: gpu(study),
        "params": lambda: params or entries(study),
        "data": lambda: data(study),
        "MLflow": lambda: mlflow(network),
        "disk": disk,
    }
    for name, check in checks.items():
        yield name, found(check)


def found(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except StudyError as error:
        return Finding(MISSING, str(error))
    except (PackageNotFoundError, ImportError) as error:
        return Finding(MISSING, f"not installed ({error}): run `make study`, or pip install -e .")


def check_all_but_gpus(study: Study) -> None:
    """Raises StudyError with the first thing for want of which `study` would not run, as far as that is known soon."""
    for check in (lambda: entries(study), python, git, dvc_is_here, lambda: data(study), disk):
        refuse(found(check))


def check_gpus(study: Study) -> None:
    """Raises StudyError if there is no GPU though the study asks for one."""
    if study.compute.device == "cuda":  # else torch, which takes seconds to load, is not asked
        refuse(found(lambda: gpu(study)))


def refuse(finding: Finding) -> None:
    if finding.status == MISSING:
        raise StudyError(finding.text)


def python() -> Finding:
    text = f"{sys.version.split()[0]} at {sys.executable}"
    if (found := shutil.which("python")) is None or Path(found).parent != Path(sys.executable).parent:
        return Finding(MISSING, f"{text}, but DVC's stages would run {found}: source .venv/bin/activate")
    return Finding(FINE, text)


def git() -> Finding:
    here = Path.cwd()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        return Finding(
            MISSING, "this folder is no git repository, which DVC needs: clone the project, or git init here"
        )
    if shutil.which("git") is None:
        return Finding(NOTE, "not installed: DVC's experiments and `replay compare` need it")
    if said("git", "rev-parse", "--git-dir") is None:
        return Finding(MISSING, f"git cannot read this repository: {complaint('git', 'rev-parse', '--git-dir')}")
    if not (said("git", "config", "user.name") and said("git", "config", "user.email")):
        return Finding(NOTE, "no identity; to commit: git config user.name NAME; git config user.email ADDRESS")
    edited = len((said("git", "status", "--porcelain") or "").splitlines())
    return Finding(FINE, f"{edited} files not committed" if edited else "everything is committed")


def dvc_is_here() -> Finding:
    if not Path(".dvc").is_dir():
        return Finding(MISSING, "no .dvc here: run from the repository's root")
    if shutil.which("dvc") is None:
        return Finding(MISSING, "the command `dvc` is not found: source .venv/bin/activate")
    return Finding(FINE, version("dvc"))


def dvc() -> Finding:
    from dvc.config import Config, ConfigError

    if (here := dvc_is_here()).status == MISSING:
        return here
    if rwlock.is_stale():
        return Finding(MISSING, f"{rwlock.FILE} is what a kill left, and DVC refuses to start: `replay run` mends it")
    try:
        config = Config(".dvc")
    except ConfigError as error:
        return Finding(MISSING, f".dvc/config cannot be read ({error})")
    cache = Path(config["cache"].get("dir") or ".dvc/cache")
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file()) / 2**20
    remote = config["core"].get("remote")
    kept = f"remote {remote}" if remote else "no remote: results are kept on this machine alone"
    return Finding(FINE, f"{here.text}, cache {size:,.0f} MiB, {kept}")


def torch() -> Finding:
    import torch

    return Finding(FINE, f"{torch.__version__}, {len(os.sched_getaffinity(0))} CPU cores")


def torchvision() -> Finding:
    """Whether it can be imported beside this torch, as it is or in the way that the project does it."""
    from ilsvrc_replay.layers.compat import make_torchvision_importable

    number = version("torchvision")
    if imports("torchvision"):
        return Finding(FINE, f"{number}, by itself")
    try:
        make_torchvision_importable()
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, AttributeError) as error:
        return Finding(MISSING, f"{number} does not fit this torch ({first_line(error)}): install its match")
    return Finding(FINE, f"{number}, through compat.py: it is built for another torch")


def gpu(study: Study | None) -> Finding:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
        return Finding(FINE, names)
    if study and study.compute.device == "cuda":
        return Finding(MISSING, "there is no GPU, but compute.device is cuda: set it to cpu or auto in params.yaml")
    return Finding(FINE, "none, and this study needs none" if study else "none")


def entries(study: Study) -> Finding:
    from ilsvrc_replay.recipes.check import check, check_callbacks, check_libraries

    check(study)
    check_libraries(study)
    check_callbacks(study)
    return Finding(FINE, f"study {study.study}, {len(study.entries)} entries, {len(study.runs)} runs")


def data(study: Study | None) -> Finding:
    if study is None:
        return Finding(NOTE, "which data set is not known before params.yaml is right")
    dataset = study.dataset
    raw, packed = (Path("data") / kind / dataset.name for kind in ("raw", "packed"))
    if (packed / "meta.json").is_file():
        meta = files.read_json(packed / "meta.json")
        counts = ", ".join(f"{count:,} {split}" for split, count in meta["images"].items())
        return Finding(
            FINE, f"{dataset.name} is packed: {counts} images of {meta.get('stored_size', meta['image_size'])} px"
        )
    if raw.is_dir():
        return Finding(FINE, f"{dataset.name} is here, not packed yet: `make study` does it")
    if dataset.place and not dataset.place.exists():
        return Finding(MISSING, f"dataset.folder is {dataset.folder}, which does not exist")
    return Finding(NOTE, f"{dataset.name} is not here yet: `make study` acquires it")


def mlflow(network: bool) -> Finding:
    number, uri = version("mlflow"), tracking.uri()
    if uri.startswith("sqlite:///"):
        file = Path(uri.removeprefix("sqlite:///"))
        if not file.exists():
            return Finding(FINE, f"{number}, no runs yet")
        try:
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=TIMEOUT) as store:
                (runs,) = store.execute("SELECT COUNT(*) FROM runs WHERE lifecycle_stage = 'active'").fetchone()
        except sqlite3.Error as error:
            return Finding(NOTE, f"{number}, but {file.name} cannot be read ({error}): move it away to begin a new one")
        return Finding(FINE, f"{number}, {runs:,} runs in {file.name}")
    if not uri.startswith(("http://", "https://")) or not network:
        return Finding(NOTE, f"{number}, at {uri}: not looked at{'' if network else '; --network asks it'}")
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=TIMEOUT):
            return Finding(FINE, f"{number}, {uri} answers")
    except (OSError, ValueError, HTTPException) as error:  # the latter two of an address or an answer that are none
        return Finding(NOTE, f"{number}, but {uri} does not answer ({getattr(error, 'reason', error)})")


def disk() -> Finding:
    free = shutil.disk_usage(".").free / 2**30
    text = f"{free:,.1f} GiB of disk free"
    if free < LEAST_GIB:
        return Finding(MISSING, f"{text}: make room")
    return Finding(FINE, text) if free >= ENOUGH_GIB else Finding(NOTE, f"{text}: a study may need {ENOUGH_GIB:g}")


def imports(module: str) -> bool:
    """Whether a module can be imported; tried in another process, as a failed import leaves half a module behind."""
    return subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0


def complaint(*command: str) -> str:
    """The last line of a command that fails."""
    return subprocess.run(command, capture_output=True, encoding="utf-8").stderr.strip().rpartition("\n")[2]


def said(*command: str) -> str | None:
    """The output of a command, None if it fails."""
    result = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    return result.stdout.strip() if result.returncode == 0 else None
