"""The board of a study from results that other studies left: for one that is run in parts, or by several people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError, first_line
from ilsvrc_replay.leaderboard import render, trained_runs, wrong_images
from ilsvrc_replay.leaderboard.board import RUNS_FILE, Row
from ilsvrc_replay.leaderboard.build import build_board
from ilsvrc_replay.leaderboard.judged_claims import Findings
from ilsvrc_replay.leaderboard.table import in_order, of_paper
from ilsvrc_replay.leaderboard.trained_runs import TrainedRuns
from ilsvrc_replay.leaderboard.wrong_images import WrongImages
from ilsvrc_replay.page import make
from ilsvrc_replay.page.results import Results
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import as_trained, resolve_all
from ilsvrc_replay.run import Run, flatten, run_name


class Source(NamedTuple):
    """What a folder of results holds: beside what its page shows, every entry's resolved run, and the images that each
    row has wrong."""

    folder: Path
    results: Results
    runs: dict[str, Run]
    wrong: WrongImages

    @property
    def rows(self) -> dict[wrong_images.Key, Row]:
        return {(row["entry"], row["kind"], row["protocol"]): row for row in self.results.rows}


def gather(study: Study, root: Path) -> list[Path]:
    """Write the board of `study` to its folder in `root`, each entry from the first folder there that has the very same
    runs of it; returns the folders that they came from.

    Raises StudyError if no folder has an entry's runs, naming the value in which the nearest one's differ, and if the
    study averages several entries, for which predictions are needed.
    """
    if study.evaluation.ensembles:
        name = next(iter(study.evaluation.ensembles))
        raise StudyError(f"evaluation.ensembles.{name} needs predictions, which results do not hold: leave it out")
    sources = list(read(root))
    parts = {entry: find(study, run, sources) for entry, run in resolve_all(study).items()}
    used = list(dict.fromkeys(source.folder for source in parts.values()))
    if len({source.wrong.labels_sha256 for source in parts.values()}) > 1:
        raise StudyError(f"{' and '.join(map(str, used))} were tested on different images: they share no board")
    write(root / study.study, study, parts)
    return used


def read(root: Path) -> Iterator[Source]:
    """The results in `root`; those that cannot be read are left out, with a warning."""
    for folder, results in make.readable(root):
        try:
            saved = files.read_json(folder / RUNS_FILE)
            runs = {entry: Run.model_validate(run | {"entry": entry}) for entry, run in saved.items()}
            wrong = wrong_images.read((folder / wrong_images.FILE).read_bytes())
        except (StudyError, OSError, ValueError, TypeError, AttributeError) as error:
            print(f"warning: {folder} cannot be taken from ({first_line(error)})", file=sys.stderr)
            continue
        yield Source(folder, results, runs, wrong)


def find(study: Study, run: Run, sources: Sequence[Source]) -> Source:
    """The source with the runs of an entry. Raises StudyError if there is none."""
    reasons = []
    for source in sources:
        if run.entry in source.runs:
            reason = difference(study, run, source)
            if reason is None:
                return source
            reasons.append(f"{source.folder} has it with {reason}")
    found = "; ".join(reasons) or "no folder of results has it"
    raise StudyError(f"entries.{run.entry}: {found}. Run it in a study of its own, then gather again")


def difference(study: Study, run: Run, source: Source) -> str | None:
    """The first thing in which a source's runs of an entry are not the study's, in words."""
    there = source.results.study
    places = set() if study.dataset.name == "imagefolder" else {"folder"}  # whose content is whatever lies there
    if study.dataset.model_dump(exclude=places) != there.dataset.model_dump(exclude=places):
        return "another dataset"
    if study.seeds != there.seeds:
        return f"seeds {there.seeds}, not {study.seeds}"
    for protocol in study.protocols(run.entry):
        if (run.entry, "single", protocol) not in source.rows:
            return f"no {protocol}"
    saved = source.runs[run.entry]
    wanted = as_trained(run)
    if run.search and run.search == saved.search:
        wanted = wanted.with_recipe(**{run.search.key: getattr(saved.recipe, run.search.key)})
    here, other = flatten(wanted.model_dump()), flatten(saved.model_dump())
    key = next((key for key in here | other if here.get(key) != other.get(key)), None)
    return key and f"{key} {other.get(key)}, not {here.get(key)}"


def write(folder: Path, study: Study, parts: dict[str, Source]) -> None:
    """Write what stage aggregate would write, of entries that stand in several sources."""
    keys = [
        (entry, kind, protocol)
        for kind in ("single", "ensemble")
        for entry, source in parts.items()
        for protocol in study.protocols(entry)
        if (entry, kind, protocol) in source.rows
    ]
    published = {key: of_paper(study, key[0], alone=key[1] == "single") for key in keys}
    rows = in_order(study, [parts[key[0]].rows[key] | published[key] for key in keys])
    masks = {key: parts[key[0]].wrong.masks[key] for key in keys}
    runs = {entry: source.runs[entry] for entry, source in parts.items()}
    weights = [parts[entry].results.weights[run_name(entry, seed)] for entry, seed in study.runs]
    trained = TrainedRuns(of_entries(parts, lambda source: source.results.curves), weights)
    first = next(iter(parts.values()))
    findings = Findings(
        {key: mask for key, mask in masks.items() if key[1] == "single"},
        first.results.board["baseline"],
        trained.curves_of,
    )
    board = build_board(study, runs, rows, findings)
    board = board._replace(tuning=of_entries(parts, lambda source: source.results.board["tuning"]))
    render.write(folder, study, runs, board, findings.baseline)
    trained_runs.write(folder, trained)
    wrong_images.write(folder / wrong_images.FILE, WrongImages(first.wrong.labels_sha256, masks))


def of_entries(parts: dict[str, Source], table: Callable[[Source], list[Row]]) -> list[Row]:
    """Every entry's rows of a table that its source has."""
    return [row for entry, source in parts.items() for row in table(source) if row["entry"] == entry]
