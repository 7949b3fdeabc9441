"""The notebooks hold their outputs, small, and made from the cells and the boards that are here."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from clone import ROOT, committed

sys.path.insert(0, str(ROOT / "notebooks"))
from remake import NOTE, made_from

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LESSONS = ("depth", "first_filters", "missed_by_all", "two_recipes", "your_own_model")
PARTS = ["## Predict", "## Run", "## Explain", "## Exercise"]
MOST_BYTES = 250_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_of_these_cells_and_this_board(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    note = notebook.metadata[NOTE]
    board = committed(f"results/{note['study']}/leaderboard.csv").decode()
    assert note == made_from(notebook, note["study"], board, note["entries"]), "run `make notebooks`"
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds & {"display_data", "execute_result", "stream"}
    assert "error" not in kinds
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_asks_shows_explains_and_leaves_something_to_do(name: str) -> None:
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    lines = [line for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    assert [line for line in lines if line in PARTS] == PARTS
