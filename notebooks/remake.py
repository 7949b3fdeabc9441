"""Run notebooks in place and keep their outputs: `make notebooks`, or `python notebooks/remake.py depth two_recipes`.

A notebook runs on the study in params.yaml. It notes what its outputs were made from, and a test holds that against the
notebook and the results in git: an edit of a cell, or another error of an entry, asks for a new run. Entries that a
study has got since ask for none.
"""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from ilsvrc_replay import load_study

HERE = Path(__file__).parent
NOTE = "made_from"  # key of a notebook's metadata
ERRORS = ("entry", "kind", "protocol", "top1_err", "top5_err")


def made_from(notebook: NotebookNode, study: str, board: str, entries: Collection[str] | None = None) -> dict[str, Any]:
    """What decides a notebook's outputs: its code, the study that it ran on, and the errors that its `entries` (None:
    all) have in that study's leaderboard.csv, `board`."""
    code = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    rows = [row for row in csv.DictReader(board.splitlines()) if entries is None or row["entry"] in entries]
    errors = sorted(",".join(row[key] for key in ERRORS) for row in rows)
    named = sorted({row["entry"] for row in rows})
    return {"study": study, "code": digest(code), "entries": named, "errors": digest("\n".join(errors))}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        NOTE: made_from(notebook, study, (HERE.parent / "results" / study / "leaderboard.csv").read_text()),
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
