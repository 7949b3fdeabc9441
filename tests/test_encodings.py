"""Texts are UTF-8 whatever the user's locale is, and what is printed never fails for want of a letter."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import drawn
import pytest
from clone import ROOT, Clone

SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "pipelines").glob("*.py")])
OTHERS = ("files", "Image", "os", "tarfile", "gzip")  # whose `open` or `write_text` is not that of a path
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}  # narrower than Latin-1, and found everywhere


def by_locale(source: str) -> Iterator[int]:
    """The lines that read or write a text, or what a process says, in the locale's encoding."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        owner, _, name = ast.unparse(call.func).rpartition(".")
        named = {word.arg for word in call.keywords}
        binary = any(isinstance(value, ast.Constant) and "b" in str(value.value) for value in call.args)
        text = name in ("read_text", "write_text") or (name == "open" and not binary)
        process = owner == "subprocess" and named & {"text", "universal_newlines"}
        text = text and (owner or name == "open") and owner not in OTHERS
        if "encoding" not in named and (text or process):
            yield call.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_has_an_encoding(path: Path) -> None:
    assert list(by_locale(path.read_text(encoding="utf-8"))) == []


def test_a_study_runs_and_is_shown_in_a_locale_without_letters(finished: Clone, tmp_path: Path) -> None:
    """Every stage again, of a folder of images whose classes and files have names of many scripts."""
    clone = finished.twin(tmp_path)
    folder = drawn.folder_of_classes(tmp_path / "été", ("caf\u00e9", "猫"), train=8, test=4)
    clone.set("dataset", {"name": "imagefolder", "folder": str(folder), "val_images": 4})
    clone.keep("alexnet")
    clone.set("evaluation.ensembles", None)
    clone.set("entries.alexnet.batch_size", 4)
    clone.run("dvc", "repro", **ASCII)
    assert "caf\u00e9" in (clone.folder / "data/packed/imagefolder/meta.json").read_text(encoding="utf-8")
    assert "alexnet" in clone.run("replay", "show", **ASCII)
    (folder / "train/猫/0.jpg").write_bytes(b"a cat")
    said = clone.run("dvc", "repro", "prepare", code=255, **ASCII)
    assert "error: imagefolder: train/" in said
    assert "Traceback" not in said
    assert "UnicodeEncodeError" not in said
