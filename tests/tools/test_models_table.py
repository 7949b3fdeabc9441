from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ilsvrc_replay.commands import app
from ilsvrc_replay.nets import families
from ilsvrc_replay.tools import models_table

REPLAY = Path(sys.executable).with_name("replay")


def test_rows_set_the_papers_figures_beside_the_counted_ones() -> None:
    googlenet, resnet, library = models_table.rows(["torchvision/resnet18", "resnet152", "googlenet"])
    assert (googlenet["depth"], googlenet["paper_depth"]) == (22, 22)
    assert (googlenet["param_count"], googlenet["paper_params"]) == (6_998_552, "6.8 M")
    assert "separable" in googlenet["differs"]
    assert (resnet["model"], resnet["gmacs"], resnet["paper_gmacs"]) == ("resnet152", 11.2824, 11.3)
    assert (library["model"], library["year"], library["code"]) == ("torchvision/resnet18", None, "torchvision")


def test_the_roster_is_whole_in_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilsvrc_replay.commands.wide_console", lambda: Console(width=80, soft_wrap=True))
    printed = CliRunner().invoke(app, ["models"], catch_exceptions=False).output
    table = printed[: printed.index("\n1  ")].splitlines()
    assert all(len(line.rstrip()) <= 80 and "…" not in line for line in table)
    assert any(line.split()[:3] == ["2016", "inception_resnet_v2", "299"] for line in table)


def test_the_command_prints_the_roster_and_writes_it_as_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder, without data or a study."""
    monkeypatch.chdir(tmp_path)
    printed = CliRunner().invoke(app, ["models"], catch_exceptions=False).output
    for expected in ("60,965,224 (60 M)", "152 (152)", "11.282 (11.3)", "1  224 px padded by 2"):
        assert expected in printed
    text = CliRunner().invoke(app, ["models", "--csv", "alexnet", "mobilenet_v1"], catch_exceptions=False).output
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == models_table.COLUMNS
    assert [row["model"] for row in rows] == ["alexnet", "mobilenet_v1"]
    assert all(name in printed for name in families())


def test_an_unknown_net_is_answered_with_the_nearest() -> None:
    result = subprocess.run([REPLAY, "models", "alexnett"], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: there is no architecture 'alexnett'; the nearest names are alexnet")
