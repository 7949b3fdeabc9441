"""The pages as files: of a study, into its results, and of all studies, beside them."""

from __future__ import annotations

from pathlib import Path

from ilsvrc_replay import files
from ilsvrc_replay.page import document, figures, listing, results
from ilsvrc_replay.page.results import Results

PAGE = "index.html"


def page(folder: Path, script: str) -> Results:
    """Draw the page and the figures of the study in `folder`, with nothing but its files. `script` is Vega's."""
    found = results.read(folder)
    drawn = document.charts(found)
    with files.whole_folder(folder / "figures") as target:
        figures.write(target, document.figures(drawn))
    files.write_text(folder / PAGE, document.render(found, drawn, script))
    return found


def index(root: Path, claims: Path) -> None:
    """List the studies in the folders of `root` that have a page, and the `claims` judged on nets as they are built."""
    found = [results.read(folder) for folder in studies(root)]
    files.write_text(root / PAGE, listing.render(found, files.read_csv(claims)))


def studies(root: Path) -> list[Path]:
    """The folders of `root` with the results of a study."""
    return [path.parent for path in sorted(root.glob("*/leaderboard.json"))]
