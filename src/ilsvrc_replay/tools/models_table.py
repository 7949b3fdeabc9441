"""The table of `replay models`: every net's size, counted on the net itself, beside what its paper says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from torch import nn

from ilsvrc_replay.models.counting import count_depth, count_macs, count_parameters
from ilsvrc_replay.models.registry import find, on_meta
from ilsvrc_replay.nets import families
from ilsvrc_replay.papers.published import published

COLUMNS = (
    "year",
    "model",
    "paper",
    "img_size",
    "depth",
    "paper_depth",
    "param_count",
    "paper_params",
    "gmacs",
    "paper_gmacs",
    "paper_table",
    "code",
    "differs",
)


def rows(names: Iterable[str] = ()) -> list[dict[str, Any]]:
    """A row (of COLUMNS) for each of `names`, or for every net of the history, in order of year.

    Counts are at the published image size, of the net as it is tested. Raises StudyError for an unknown name.
    """
    return sorted((row(name) for name in names or families()), key=lambda row: row["year"] or 9999)


def row(name: str) -> dict[str, Any]:
    architecture = find(name)
    net, record = on_meta(architecture), published().get(name)
    stated = record.stated if record else None
    return {
        "year": record and record.year,
        "model": name,
        "paper": record and record.title,
        "img_size": architecture.input_size,
        "depth": count_depth(net, architecture.input_size, architecture.channels),
        "paper_depth": stated and stated.depth,
        "param_count": count_parameters(net),
        "paper_params": stated and stated.params,
        "gmacs": round(count_macs(net, architecture.input_size, architecture.channels) / 1e9, 4),
        "paper_gmacs": stated and stated.gmacs,
        "paper_table": stated and stated.table,
        "code": origin(net),
        "differs": record and record.differs,
    }


def origin(net: nn.Module) -> str:
    """Whose code a net is: the library's name, or "own"."""
    package = type(net).__module__.partition(".")[0]
    return "own" if package == __name__.partition(".")[0] else package


def show(console: Console, rows: list[dict[str, Any]]) -> None:
    """Print these rows, their notes below."""
    title = "Nets at their published image size; the papers' own figures in brackets"
    table = Table(title=title, box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for name in ("year", "net", "px"):
        table.add_column(name, no_wrap=True)
    for name, least in {"depth": 5, "parameters": 11, "GMACs": 6}.items():
        table.add_column(name, justify="right", min_width=least)  # breaks at the bracket where a terminal is narrow
    for name in ("code", ""):
        table.add_column(name, no_wrap=True)
    notes: dict[str, int] = {}
    for row in rows:
        note = str(notes.setdefault(row["differs"], len(notes) + 1)) if row["differs"] else ""
        table.add_row(
            str(row["year"] or ""),
            row["model"],
            str(row["img_size"]),
            beside(f"{row['depth']}", row["paper_depth"]),
            beside(f"{row['param_count']:,}", row["paper_params"]),
            beside(f"{row['gmacs']:.3f}", row["paper_gmacs"]),
            row["code"],
            note,
        )
    console.print(table)
    for note, number in notes.items():
        console.print(f"{number}  {note}")


def beside(measured: str, stated: object) -> str:
    """A measured figure with the paper's own in brackets, if it has one."""
    return measured if stated is None else f"{measured} ({stated})"
