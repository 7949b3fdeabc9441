"""Run notebooks in place and keep their outputs: `make notebooks`, or `python notebooks/remake.py depth two_recipes`.

A notebook runs on the study in params.yaml. It notes what its outputs were made from, and a test holds that against the
notebook and the results in git: an edit of a cell, or another board, asks for a new run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from ilsvrc_replay import load_study

HERE = Path(__file__).parent
NOTE = "made_from"  # key of a notebook's metadata


def made_from(notebook: NotebookNode, study: str, board: bytes) -> dict[str, Any]:
    """What decides a notebook's outputs: its code, the study that it ran on, and that study's board, as JSON."""
    code = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return {"study": study, "code": digest(code.encode()), "board": digest(board)}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def remake(path: Path, study: str) -> None:
    """Run a notebook; it is written only if all of its cells ran."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": HERE}}, timeout=1800).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]  # libraries' chatter
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        NOTE: made_from(notebook, study, (HERE.parent / "results" / study / "leaderboard.json").read_bytes()),
    }
    nbformat.write(notebook, path)


def main(names: list[str]) -> None:
    os.chdir(HERE.parent)
    study = load_study().study
    for name in names or sorted(path.stem for path in HERE.glob("*.ipynb")):
        print(f"{name}, on the study {study}", flush=True)
        remake(HERE / f"{name}.ipynb", study)


if __name__ == "__main__":
    main(sys.argv[1:])
