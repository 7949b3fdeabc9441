"""The checkout as it stands, made to travel: its commit, what is not committed, and the remote as DVC sees it here."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime.scratch import scratch

REF = "refs/replay/stands"
# Fixed, so that an unchanged checkout is the same commit when it is asked for again.
NOBODY = {f"GIT_{who}_{what}": "replay" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
NOBODY |= {f"GIT_{who}_DATE": "2000-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")}


def take(config: str, needed: list[str]) -> dict[str, Any]:
    """All that a worker makes its clone of, with an `id`: a git bundle of the commit `head` and of `stands`, a commit
    that also has every edited and new file that git does not ignore; the text of DVC's local config; and the stages
    whose outs are `needed`.

    Neither index nor branches are touched. Raises StudyError if nothing was ever committed.
    """
    folder = scratch("cluster")
    head = said("rev-parse", "HEAD")
    index, bundle = folder / "index", folder / "bundle"
    if (own := Path(said("rev-parse", "--git-path", "index"))).exists():
        shutil.copyfile(own, index)
    aside = NOBODY | {"GIT_INDEX_FILE": str(index.resolve())}
    said("add", "--all", **aside)
    stands = said("commit-tree", said("write-tree", **aside), "-p", head, "-m", "as it stands", **aside)
    said("update-ref", REF, stands)
    said("bundle", "create", "--quiet", str(bundle), "HEAD", REF)
    shallow = Path(said("rev-parse", "--git-path", "shallow"))
    content = {"head": head, "stands": stands, "config": config, "needed": needed}
    return content | {
        "id": hashlib.sha256(repr(sorted(content.items())).encode()).hexdigest(),
        "bundle": bundle.read_bytes(),
        "shallow": shallow.read_text(encoding="ascii") if shallow.exists() else "",
    }


def uncommitted() -> list[str]:
    """The files that differ from the commit, without those that a study itself writes."""
    written = ("dvc.lock", "metrics/", "results/")
    names = [line[3:] for line in said("status", "--porcelain", "--untracked-files=all").splitlines()]
    return [name for name in names if not name.startswith(written)]


def said(*words: str, **environment: str) -> str:
    """What git says; StudyError with its reason if it fails."""
    done = subprocess.run(
        ["git", *words], env=os.environ | environment, capture_output=True, encoding="utf-8", errors="surrogateescape"
    )
    if done.returncode:
        raise StudyError(f"a cluster gets the checkout by git, which fails: {done.stderr.strip().splitlines()[0]}")
    return done.stdout.rstrip("\n")
