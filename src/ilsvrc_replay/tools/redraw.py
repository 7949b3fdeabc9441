"""All pages anew, from the files that studies left in results/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import vl_convert

from ilsvrc_replay.page import make, results, viewer

CLAIMS = Path("claims/built.csv")  # in the folder of results


def draw(folder: Path) -> None:
    """Draw the page of the results in `folder`."""
    make.page(folder, results.read(folder), viewer.inline(vl_convert.javascript_bundle()))


def redraw(root: Path) -> Iterator[Path]:
    """Draw the page of every study in `root`, and the list of them; yields each page once it is there."""
    script = viewer.inline(vl_convert.javascript_bundle())
    for folder, found in make.readable(root):
        make.page(folder, found, script)
        yield folder / make.PAGE
    index(root)
    yield root / make.PAGE


def index(root: Path) -> None:
    """List the studies in `root`."""
    make.index(root, root / CLAIMS)
