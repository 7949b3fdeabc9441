"""DVC at both ends of the way between a cluster's driver and its workers, by its remote.

A process of its own for each of the VERBS takes a request as JSON on stdin. What a run made goes to the
remote by checksum. Its entries in DVC's run cache, a page of text a stage, say which inputs gave these outs; they come
to the driver through Ray. There stock DVC looks a stage up by the checksums of all its inputs, and so takes what a
worker made only for what this very checkout would have made.

DVC's commands are used where there is one. `dvc push --run-cache` sends every entry there ever was, and `dvc repro
--pull` fetches them all, at each call; hence the few lines here that do so for some.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dvc import fs
from dvc.cli import main as dvc
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import cache as run_cache
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import _yaml

from ilsvrc_replay.runtime import tracking
from ilsvrc_replay.runtime.dvc_processes import REPRO
from ilsvrc_replay.runtime.rwlock import mend
from ilsvrc_replay.runtime.stage import NOTHING_RUNS

Request = dict[str, Any]
Pair = tuple[str, str]  # names an entry: the checksums of a stage's inputs, and of inputs and outs

# DVC writes all of dvc.lock at the end of each stage, and reads it before by a parser that keeps comments, of which it
# has none there; the one in C takes a fifth of the time, for the same bytes.
_yaml.parse_yaml_for_update = _yaml.parse_yaml


def carry(request: Request) -> int:
    """On a worker: `pull` the outs of these stages, do `stages`, push what they made, and write to the file `made` the
    entries and MLflow's accounts that the driver gets."""
    stages = request["stages"]
    mend()  # Ray kills what a task has started, also while DVC writes
    status = dvc(["--wait-for-lock", "pull", *request["pull"]]) if request["pull"] else 0
    if status := status or dvc([*REPRO, *stages]):
        return status
    repo = Repo()
    pairs = list(pairs_of(repo, stages))
    push(repo, pairs)
    entries = {"/".join(pair): place(repo, pair).read_text(encoding="utf-8") for pair in pairs}
    made = {"entries": entries, "accounts": tracking.handed_over({stage.partition("@")[2] for stage in stages})}
    Path(request["made"]).write_text(json.dumps(made), encoding="utf-8")
    return 0


def enter(request: Request) -> int:
    """At the driver: take the `entries` into the run cache, what they name into the cache, and let DVC find it."""
    repo = Repo()
    pairs: list[Pair] = []
    for name, text in request["entries"].items():
        pair = tuple(name.split("/"))
        pairs.append(pair)
        place(repo, pair).parent.mkdir(parents=True, exist_ok=True)
        place(repo, pair).write_text(text, encoding="utf-8")
    pull(repo, repo.stage_cache.get_used_objs(pairs).values())
    os.environ[NOTHING_RUNS] = "1"
    return dvc([*REPRO, *request["stages"]])


def offer(request: Request) -> int:
    """At the driver: push the outs of `needed`, and do what is left of `levels`, lists of stages, as far as the remote
    or this machine has it already: a driver that was killed goes on so."""
    if status := dvc(["--wait-for-lock", "push", *request["needed"]]):
        return status
    repo = Repo()
    if remote := entries_at_remote(repo):
        repo.stage_cache.transfer(remote, repo.cache.legacy, force=False)
    os.environ[NOTHING_RUNS] = "1"
    for stages in request["levels"]:
        if known := [stage for stage in stages if is_known(repo, stage)]:
            dvc([*REPRO, *known])
    return 0


def is_known(repo: Repo, name: str) -> bool:
    """Whether the run cache has the stage as its inputs are now, and its outs can be had."""
    try:
        stage = repo.stage.get_target(name)
        stage.save_deps()
        if not (entry := repo.stage_cache._load(stage)):
            return False
        pull(repo, repo.stage_cache._create_stage(entry, wdir=stage.wdir).get_used_objs().values())
    except DvcException:  # an input is not there yet, or an out no more
        return False
    return True


def pairs_of(repo: Repo, stages: Iterable[str]) -> Iterator[Pair]:
    """The run cache's entries of stages that have just been done."""
    for name in stages:
        stage = repo.stage.get_target(name)
        entry = to_single_stage_lockfile(stage)
        pair = run_cache._get_stage_hash(stage), run_cache._get_cache_hash(entry)
        if place(repo, pair).exists():  # else it was done before the run cache was emptied
            yield pair


def place(repo: Repo, pair: Pair) -> Path:
    return Path(repo.stage_cache._get_cache_path(*pair))


def push(repo: Repo, pairs: list[Pair]) -> None:
    """Push what the entries name, also metrics, which git has and DVC's cache only by the run cache; then the entries:
    what one names is there."""
    for objects in repo.stage_cache.get_used_objs(pairs).values():
        complete(repo.cloud.push(objects).failed)
    if remote := entries_at_remote(repo):
        for pair in pairs:
            target = remote.fs.join(remote.path, "runs", pair[0][:2], *pair)
            fs.generic.copy(repo.cache.legacy.fs, str(place(repo, pair)), remote.fs, target)


def pull(repo: Repo, wanted: Iterable[Any]) -> None:
    for objects in wanted:
        complete(repo.cloud.pull(objects).failed)


def complete(failed: Iterable[Any]) -> None:
    if count := len(list(failed)):
        raise DvcException(f"the DVC remote lacks {count} files, or did not take them")


def entries_at_remote(repo: Repo) -> Any:
    """The remote's run cache; None for one by HTTP, which has none: what is begun again there is trained again."""
    remote = repo.cloud.get_remote_odb(None, "push --run-cache", hash_name="md5-dos2unix")
    return None if isinstance(remote.fs, fs.HTTPFileSystem) else remote


VERBS: dict[str, Callable[[Request], int]] = {"carry": carry, "enter": enter, "offer": offer}


def run(verb: str) -> int:
    request = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())  # stages inherit it
    try:
        return VERBS[verb](request)
    except DvcException as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
