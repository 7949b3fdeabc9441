"""Stopped in any moment: one line, an honest status and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from clone import ROOT

WAITS = """
import sys, time
from importlib.abc import MetaPathFinder

class Waits(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            print("loading", flush=True)
            time.sleep(60)

sys.meta_path.insert(0, Waits())
"""
READS = """
import os
from concurrent.futures import ThreadPoolExecutor
from ilsvrc_replay.runtime import orphans, stage

def reads():
    with ThreadPoolExecutor(1) as pool:
        print("reading", flush=True)
        pool.submit(lambda: open("endless").read()).result()

os.mkfifo("endless")
orphans.GRACE = 1
stage.run_stage(reads)
"""


def start(*command: str, folder: Path, path: str = "") -> subprocess.Popen:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{path}:{ROOT / 'src'}"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ready = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 (background ignores it)
    return subprocess.Popen(command, cwd=folder, env=environment, preexec_fn=ready, **pipes)  # noqa: PLW1509


@pytest.mark.parametrize("command", ["python pipelines/resolve.py", "replay doctor"])
def test_interrupted_while_libraries_are_loaded(command: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WAITS.format(module="ruamel.yaml"))
    process = start(*command.split(), folder=ROOT, path=str(tmp_path))
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert said.startswith("error: ")
    assert said.endswith(" before anything began\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_stage_that_waits_for_data_that_never_come_ends(number: int, word: str, tmp_path: Path) -> None:
    process = start(sys.executable, "-c", READS, folder=tmp_path)
    assert process.stdout.readline() == "reading\n"
    time.sleep(0.2)
    process.send_signal(number)
    assert process.communicate(timeout=20)[1] == f"error: {word}; nothing unfinished was kept\n"
    assert process.returncode == 128 + number
