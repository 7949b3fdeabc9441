"""Nothing that the project starts looks up a host, but what acquires data or published weights."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from clone import ROOT, Clone
from serving import answer, served

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
    with served(clone) as address:
        server, _, page = address.partition("/#/experiments/")
        experiment, _, shown = page.partition("/")
        assert shown.startswith("runs?workflowType=machine_learning&compareRunsMode=CHART&searchFilter=tags.kind")
        found = answer(f"{server}/api/2.0/mlflow/experiments/get?experiment_id={experiment}")
        assert '"name": "miniature"' in found
        port = server.rpartition(":")[2]
        assert "error: port" in clone.run("replay", "ui", "--port", port, code=1)
    assert not asked.exists(), asked.read_text()


def test_make_ui_is_the_command() -> None:
    said = subprocess.check_output(
        ["make", "--no-print-directory", "-n", "-o", ".venv/installed", "ui", "PORT=5001"], cwd=ROOT, text=True
    )
    assert said == "replay ui --port 5001\n"
