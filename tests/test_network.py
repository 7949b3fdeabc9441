"""Nothing that the project starts looks up a host, but what acquires data or published weights."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from clone import ROOT, Clone

SWITCHES = ("CI", "PYTEST_CURRENT_TEST", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DVC_NO_ANALYTICS")


@pytest.fixture
def asked(clone: Clone, tmp_path: Path) -> Path:
    """A file of the hosts that commands of `clone` ask for, without any of the switches that silence libraries."""
    for name in SWITCHES:
        clone.environment.pop(name, None)
    clone.environment["PYTHONPATH"] = f"{ROOT / 'tests/asking'}:{clone.folder / 'src'}"
    clone.environment["ASKED"] = str(tmp_path / "asked")
    return tmp_path / "asked"


def test_a_host_that_is_looked_up_is_noted(clone: Clone, asked: Path) -> None:
    clone.run("python", "-c", "import urllib.request as u; u.urlopen('http://example.org')", code=1)
    assert asked.read_text() == "example.org\n"


def test_stages_and_commands_ask_for_no_host(clone: Clone, asked: Path) -> None:
    stages = ["acquire", "prepare", "train@alexnet-0", "evaluate@alexnet-0", "aggregate", "page"]
    clone.run("dvc", "repro", "--force", "--single-item", *stages)
    for command in ("replay doctor", "replay show", "replay compare HEAD", "replay sync", "dvc exp show"):
        clone.run(*command.split())
    assert not asked.exists(), asked.read_text()


def test_mlflows_pages_are_served_without_a_word_to_others(clone: Clone, asked: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = clone.start("replay", "ui", "--port", str(port))
    try:
        address = process.stdout.readline().strip()
        experiment = address.removeprefix(f"http://127.0.0.1:{port}/#/experiments/").partition("/")[0]
        assert "/runs?workflowType=machine_learning&compareRunsMode=CHART&searchFilter=tags.kind" in address
        found = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get?experiment_id={experiment}"
        assert '"name": "miniature"' in answer(found)
        assert "error: port" in clone.run("replay", "ui", "--port", str(port), code=1)
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert not asked.exists(), asked.read_text()


def answer(address: str) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as page:
                return page.read().decode()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.5)


def test_make_ui_is_the_command() -> None:
    said = subprocess.check_output(
        ["make", "--no-print-directory", "-n", "-o", ".venv/installed", "ui", "PORT=5001"], cwd=ROOT, text=True
    )
    assert said == "replay ui --port 5001\n"
