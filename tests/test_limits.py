"""A disk that takes no more and a memory that is used up: one line that says so, and nothing of what was there is lost.

Limits of the process stand for the disk and the memory, as no test may fill these.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from clone import Clone
from ruamel.yaml import YAML

from ilsvrc_replay.runtime.launcher import Launcher

FILES = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.argv, sys.path = {argv!r}, ["pipelines", *sys.path]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
MEMORY = """
import resource, runpy, sys
sys.argv, sys.path = {argv!r}, ["pipelines", *sys.path]
runpy.run_path(sys.argv[0], run_name="loaded")
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + {limit}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


# Python itself cuts off the .pyc files that it writes where a limit forbids more, and fails on them from then on.
LEAVES_NO_BYTECODE = {"PYTHONDONTWRITEBYTECODE": "1"}


def limited(clone: Clone, limits: str, limit: int, *argv: str) -> str:
    """What a stage that breaks its limit says; asserts that it fails and that nothing has changed."""
    before = clone.made()
    said = clone.run("python", "-c", limits.format(limit=limit, argv=list(argv)), code=1, **LEAVES_NO_BYTECODE)
    assert "Traceback" not in said
    assert clone.made() == before
    assert not list(clone.folder.glob("*/**/.*.partial"))
    return "\n".join(line for line in said.splitlines() if line.startswith("error:"))


@pytest.mark.parametrize(
    ("stage", "named"),
    [
        pytest.param("acquire", "data/raw/", marks=pytest.mark.long),
        ("prepare", "data/packed/digits"),
        ("train --entry alexnet --seed 0", "runs/alexnet-0/weights.safetensors"),
        pytest.param("evaluate --entry alexnet --seed 0", "predictions/alexnet-0.npz", marks=pytest.mark.long),
        pytest.param("aggregate", "results/miniature/leaderboard.csv", marks=pytest.mark.long),
        pytest.param("page", "results/miniature/", marks=pytest.mark.long),
    ],
)
def test_a_disk_that_takes_no_more(clone: Clone, stage: str, named: str) -> None:
    script, *options = stage.split()
    line = limited(clone, FILES, 1024, f"pipelines/{script}.py", *options)
    assert line.startswith(f"error: {named}"), line
    assert line.endswith("make room and run again") or "raise the limit" in line, line
    assert line.count("\n") == 0


@pytest.mark.parametrize("limit", [0, 1000, 20_000, pytest.param(300_000, marks=pytest.mark.long)])
def test_a_disk_that_takes_no_more_under_the_launcher(clone: Clone, limit: int) -> None:
    """Of all processes, those of DVC and the logs of the launcher among them."""
    before = clone.made()
    clone.set("entries.alexnet.lr", 0.03)
    said = clone.run("sh", "-c", f"ulimit -f {limit // 512}; exec replay run", code=1, **LEAVES_NO_BYTECODE)
    assert "Traceback" not in said
    assert "error: " in said.splitlines()[-1]
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "-q", "--force")
    clone.run("dvc", "repro", "resolve")
    assert clone.made() == before


def finished_files(clone: Clone) -> dict[str, Any]:
    """Without what is hidden as unfinished: to remove it may want memory, too, and the next run does."""
    return {name: made for name, made in clone.made().items() if "/." not in name}


STAGES = {  # by stage: the key and value that it says to lower, once it has begun to compute
    "prepare": None,
    "train --entry alexnet --seed 0": "entries.alexnet.batch_size, which is 1100",
    "evaluate --entry alexnet --seed 0": "evaluation.batch_size, which is 500",
}
LIMITS = [2, 20, 60, 90, 120, 150, 200]  # MB over what a stage has when all is imported


@pytest.mark.parametrize("stage", STAGES)
def test_a_memory_that_is_used_up(clone: Clone, stage: str) -> None:
    """At any limit a stage ends in one line, or ends well: where it runs out depends on the machine. Where a library in
    C does not look whether it got memory, the system ends the stage, and the launcher speaks for it."""
    script, *options = stage.split()
    clone.set("entries.alexnet.batch_size", 1100)
    clone.run("python", "pipelines/resolve.py")
    clone.run("python", "pipelines/tune.py", "--entry", "alexnet")
    before, ends = finished_files(clone), {}
    for limit in LIMITS:
        code = MEMORY.format(limit=limit * 1_000_000, argv=[f"pipelines/{script}.py", *options])
        process = clone.start("python", "-c", code, **LEAVES_NO_BYTECODE)
        said = process.communicate()[0]
        assert "Traceback" not in said, said
        lines = [line for line in said.splitlines() if line.startswith("error:")]
        assert (process.returncode, len(lines)) in ((0, 0), (1, 1), (-signal.SIGSEGV, 0), (-signal.SIGABRT, 0)), said
        assert not lines or lines[0].startswith("error: out of memory: lower "), lines
        assert process.returncode == 0 or finished_files(clone) == before
        before = finished_files(clone)
        ends[limit] = lines[0] if lines else "done" if process.returncode == 0 else "ended by the system"
    assert ends[LIMITS[0]] != "done"
    assert STAGES[stage] is None or any(STAGES[stage] in end for end in ends.values()), ends
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("python", "pipelines/resolve.py")
    clone.run("python", "pipelines/tune.py", "--entry", "alexnet")


@pytest.mark.parametrize(
    ("stage", "line"),
    [
        ({"cmd": "kill -9 $$"}, "error: train@a ended without a word, perhaps killed for want of memory"),
        (
            {"cmd": "true", "deps": ["gone"]},
            "ERROR: failed to reproduce 'train@a'",
        ),
    ],
    ids=["killed", "not started"],
)
def test_a_stage_that_says_nothing_is_spoken_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, stage: dict, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    with (tmp_path / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": {"train": {"matrix": {"run": ["a"]}, **stage}}}, file)
    assert Launcher(1).do("train@a") is False
    assert line in capsys.readouterr().err
