"""What the tests share: a small packed data set of real images, and studies over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from clone import Clone, finish
from made_recipes import plain

from ilsvrc_replay.datasets import digits
from ilsvrc_replay.layers.compat import make_torchvision_importable
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.params import Study
from ilsvrc_replay.prepare import pack_arrays

make_torchvision_importable()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


FIRST = ("test_pipeline", "test_survival", "test_page", "test_tracking", "test_resume")  # the dearest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The dearest files first, so that all processes end at about the same time."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


@pytest.fixture
def summary(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a line that is printed at the end of all tests, if this one passes."""
    return lambda line: record_property("summary", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.stats.get("passed", [])
    lines = [line for report in passed for name, line in report.user_properties if name == "summary"]
    refused = sum("test_bad_input.py" in report.nodeid for report in passed)
    lines += [f"{refused} kinds of bad params, data, weights and archives refused, in a line each"] if refused else []
    if lines:
        terminalreporter.section("what it survived")
        terminalreporter.write_line("\n".join(lines))
    ended = [*passed, *terminalreporter.stats.get("failed", [])]
    told = [pair for report in ended if "[cuda" in report.nodeid for pair in report.user_properties]
    rows = [text for name, text in told if name == "row"]
    if rows:
        terminalreporter.section("measured on a GPU")
        where = f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
        terminalreporter.write_line("\n".join([f"| {where} | |", "|---|---|", *rows]))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A finished study, made once for all processes of the tests: a test works in a twin of it."""
    own = tmp_path_factory.getbasetemp()
    return finish((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "finished")


@pytest.fixture(scope="module")
def clone(finished: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A finished study for the tests of a file, which follow one another in it."""
    return finished.twin(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> packed_data.Packed:
    """scikit-learn's digits at 32 px: 1,100 training, 197 val and 500 test images."""
    raw, folder = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("packed")
    digits.acquire(raw, None)
    pack_arrays.pack(digits.read(raw), "digits", 32, 197, folder)
    return packed_data.load(folder)


def make_study(architecture: str = "alexnet", **entry: Any) -> Study:
    """A study of one entry called "net"."""
    values = {"architecture": architecture, "recipe": "modern", "width": 0.125, "compact": "auto"}
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "digits", "val_images": 197},
            "compute": {"device": "cpu", "threads": 1},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500},
            "seeds": [0],
            "entries": {"net": values | plain(entry)},
        }
    )


@pytest.fixture(scope="session")
def study() -> Callable[..., Study]:
    return make_study
