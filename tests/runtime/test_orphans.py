"""A stage ends with the DVC that runs it, also if that one was gone before the stage had loaded its libraries."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ilsvrc_replay.runtime.orphans import HOLDER

STAGE = """
import time
from ilsvrc_replay.runtime.stage import run_stage
print("began", flush=True)
run_stage(lambda: time.sleep(60))
"""
TERMINATED = 143


def start(tmp_path: Path, holder: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", STAGE],
        cwd=tmp_path,
        env={"DVC_STAGE": "train@net-0", HOLDER: str(holder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("gone_before", [True, False], ids=["gone before it began", "gone later"])
def test_a_stage_whose_dvc_is_gone_ends(tmp_path: Path, gone_before: bool) -> None:
    dvc = subprocess.Popen(["sleep", "60"])
    if gone_before:
        dvc.kill()
        dvc.wait()
    process = start(tmp_path, dvc.pid)
    assert process.stdout.readline() == "began\n"
    if not gone_before:
        time.sleep(0.5)
        assert process.poll() is None
        dvc.kill()
        dvc.wait()
    assert "error: terminated" in process.communicate(timeout=20)[1]
    assert process.returncode == TERMINATED
