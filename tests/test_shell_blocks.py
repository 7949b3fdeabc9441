"""Every shell block of the README and of the tutorial, run in a fresh clone on the study `miniature`."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from clone import ROOT, Clone

pytestmark = pytest.mark.long

# The installation is the one that runs this test; a shell's `source` of .venv changes nothing then.
HEAD = "set -eu\nsource() { :; }\n"
QUICK = (ROOT / "pipelines/studies/quick.yaml").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, without prompts."""
    found = re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in found]


def shape(line: str) -> str:
    """A line of output without what depends on the machine: numbers and their widths, folders and verdicts."""
    for pattern, word in (
        (r"[-+]?\d[\d,.]*", "0"),
        (r"/\S+/", "/"),
        (r"(not )?resolved.*", "resolved"),
        (r"[\s─]+", " "),
    ):
        line = re.sub(pattern, word, line)
    return line.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path / "origin")
    installed = tmp_path / "installed"
    installed.touch()
    os.utime(installed, (2**32, 2**32))  # newer than any file of a clone: nothing is installed from there
    variables = {"BIN": Path(sys.executable).parent, "INSTALLED": installed}
    identity = {"user.name": "test", "user.email": "test@example.org"}
    for key, value in identity.items():
        clone.run("git", "config", "--global", key, value)
    clone.environment |= {"MAKEFLAGS": " ".join(f"{name}={value}" for name, value in variables.items())}
    return clone


def test_the_tutorials(clone: Clone, tmp_path: Path) -> None:
    clone.edit("params.yaml", QUICK)
    clone.commit()
    script = HEAD + "".join(blocks("docs/tutorial.md", "bash")).replace("REPOSITORY", str(clone.folder))
    (tmp_path / "script").write_text(script)
    clone.folder = tmp_path
    said = clone.run("bash", "script", PYTHONPATH=str(tmp_path / "ilsvrc-replay/src"))
    shown = {shape(line) for block in blocks("docs/tutorial.md", "text") for line in block.splitlines()}
    print(said)
    assert shown - {shape(line) for line in said.splitlines()} == set()


def test_the_readmes(clone: Clone, tmp_path: Path) -> None:
    """On `miniature`, with the rate that the README changes; its `make test` runs one file of tests."""
    script = HEAD + "".join(blocks("README.md", "")).replace("git clone URL", f"git clone {clone.folder}")
    keep = "git add results metrics dvc.lock && git commit -qm results"  # as those of the default study are
    script = re.sub(r"^make study .*$", rf"\g<0>\n{keep}", script, count=1, flags=re.MULTILINE)
    for before, _ in re.findall(r"sed -i 's/(.*?)/(.*?)/'", script):
        name = before.partition(":")[0]
        clone.edit("params.yaml", re.sub(rf"{name}: {{.*}}", before, (clone.folder / "params.yaml").read_text()))
        assert before in (clone.folder / "params.yaml").read_text()
    clone.commit()
    (tmp_path / "script").write_text(script)
    clone.folder = tmp_path
    said = clone.run("bash", "script", PYTEST_ADDOPTS="-k test_files", PYTHONPATH=str(tmp_path / "ilsvrc-replay/src"))
    assert re.search(r"params  HEAD → workspace\n  entries\.\w+\.lr", said)
