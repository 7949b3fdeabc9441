"""The pages as files: of a study, into its results, and of all studies, beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.page import document, figures, listing, results, searches
from ilsvrc_replay.page.results import Results

PAGE = "index.html"


def page(folder: Path, found: Results, script: str) -> None:
    """Draw the page and the figures of a study into the `folder` of its results. `script` is Vega's."""
    drawn = document.charts(found)
    with files.whole_folder(folder / "figures") as target:
        figures.write(target, document.figures(drawn))
    files.write_text(folder / PAGE, document.render(found, drawn, script))


def index(root: Path, claims: Path) -> None:
    """List the studies in the folders of `root` that have a page, those of the history first, the searches there, and
    the `claims` judged on nets as they are built."""
    if not claims.is_file():
        raise StudyError(f"{claims} is missing: run from the repository's root; `dvc repro claims` makes it")
    studies = sorted((found for _, found in readable(root)), key=lambda found: not found.study.of_history)
    files.write_text(root / PAGE, listing.render(studies, list(searches.read(root)), files.read_csv(claims)))


def readable(root: Path) -> Iterator[tuple[Path, Results]]:
    """The folders of `root` with the results of a study, read; one that cannot be drawn is left out, with a warning."""
    for path in sorted(root.glob("*/leaderboard.json")):
        try:
            yield path.parent, results.read(path.parent)
        except StudyError as error:
            print(f"warning: {error}", file=sys.stderr)
