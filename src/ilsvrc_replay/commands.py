"""What the `replay` command can do."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Study, load_study
from ilsvrc_replay.run import run_name
from ilsvrc_replay.runtime import launcher

EPILOG = "Begin with `replay doctor`, then `replay run`. After an edit: `replay run`, then `replay compare HEAD`."
app = typer.Typer(epilog=EPILOG, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Rerun the ImageNet challenge's history and look at what came out."""


@app.command("run")
def run_study(
    jobs: Annotated[int, typer.Option(min=0, help="runs at once; 0: one a GPU, or one more than the cores carry")] = 0,
    on: Annotated[Literal["here", "ray"], typer.Option(help="this machine, or a cluster of Ray's")] = "here",
    address: Annotated[
        str | None, typer.Option(help="of the cluster: HOST:PORT, or auto; without it, one of this machine alone")
    ] = None,
) -> None:
    """Bring the study in params.yaml up to date and print its board.

    Only what an edit touches is made anew; several runs train at once. Stopped by Ctrl-C, it goes on where it was.

    Examples: `replay run`, `replay run --jobs 1`, `replay run --on ray --address auto`.
    """
    from ilsvrc_replay.tools import doctor, redraw

    if address and on != "ray":
        raise StudyError("--address is for a cluster: add --on ray")
    study = load_study()
    doctor.check_all_but_gpus(study)
    try:
        runs = {entry: [run_name(entry, seed) for seed in study.seeds] for entry in study.entries}
        searches = [entry for entry in study.entries if study.grids(entry)]
        if on == "ray":
            from ilsvrc_replay.runtime.cluster.cluster_launcher import ClusterLauncher

            spread = ClusterLauncher(len(study.runs), jobs or len(study.runs), address, study.compute)
            spread.run(runs, searches, before_runs=spread.open)
        else:
            from ilsvrc_replay.runtime.gpus import find

            gpus = find(study.compute)
            jobs = jobs or launcher.default_jobs(study.compute, gpus)

            def before_runs(todo: Collection[str]) -> str:
                doctor.check_gpus(study)
                return time_of(study, todo, jobs)

            launcher.Launcher(jobs, gpus).run(runs, searches, before_runs)
    except KeyboardInterrupt:
        typer.echo("error: stopped; what was finished is kept, run again to go on", err=True)
        raise typer.Exit(130) from None
    redraw.index(Path("results"))
    show()


def time_of(study: Study, todo: Collection[str], jobs: int) -> str:
    """How long what is to do takes, if `replay plan` has measured it; measuring costs half a minute."""
    from ilsvrc_replay.tools.plan import estimate, plan_table

    plan = estimate.foretold(study, todo, jobs)
    return plan_table.needs(plan) if plan else "`replay plan` says how long that takes on this machine"


@app.command()
def show() -> None:
    """Print the board of the study in params.yaml, as it was last made.

    Example: `replay show`; in a browser, open results/<study>/index.html.
    """
    study = load_study()
    from ilsvrc_replay.leaderboard import board
    from ilsvrc_replay.tools import leaderboard_table

    folder = Path("results") / study.study
    leaderboard_table.show(wide_console(), study, board.read(folder), folder)


@app.command()
def redraw() -> None:
    """Draw the pages of all results anew, from their files alone, and the list of them.

    Nothing is measured: a study's board and curves are read from results/<study>/. The list is results/index.html.

    Example: `replay redraw`.
    """
    from ilsvrc_replay.tools import redraw

    for page in redraw.redraw(Path("results")):
        typer.echo(page)


@app.command()
def gather() -> None:
    """Make the board of the study in params.yaml from results that are there, of studies that ran parts of it.

    An entry's results are taken from the first folder in results/ whose runs of it are the same in every value: net and
    its source, recipe, seeds, data, versions of libraries. Nothing is trained, and neither weights nor predictions are
    needed.

    Example: `replay use history`, then `replay gather`.
    """
    from ilsvrc_replay.tools import gather, redraw

    study, root = load_study(), Path("results")
    for folder in gather.gather(study, root):
        typer.echo(f"taken from {folder}")
    redraw.draw(root / study.study)
    redraw.index(root)
    show()


@app.command()
def models(
    names: Annotated[list[str] | None, typer.Argument(help="nets, also torchvision/<name> or timm/<name>")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="the same table as CSV")] = False,
) -> None:
    """Print every net, counted, beside its paper's own figures.

    Examples: `replay models`, `replay models resnet50 torchvision/resnet50`, `replay models --csv > models.csv`.
    """
    from ilsvrc_replay.tools import models_table

    rows = models_table.rows(names or ())
    if csv:
        typer.echo(files.as_csv(rows), nl=False)
        return
    models_table.show(wide_console(), rows)


@app.command()
def claims(csv: Annotated[bool, typer.Option("--csv", help="the same as CSV")] = False) -> None:
    """Judge what is often told about these nets, by their layers.

    Nothing is trained: the figures are measured on the nets as they are built, so that another net gives another
    verdict.

    Examples: `replay claims`, `replay claims --csv > claims.csv`.
    """
    from ilsvrc_replay.claims.verdicts import judge

    rows = judge()
    if csv:
        typer.echo(files.as_csv(rows), nl=False)
        return
    console = wide_console()
    for row in rows:
        console.print(f"[bold]{row['verdict']:18}[/] {row['claim']}")
        console.print(f"{'':18} {row['figure']}", style="cyan")
        console.print(f"{'':18} {row['caveat'] + ' ' if row['caveat'] else ''}({row['source']})", style="dim")
    verdicts = [row["verdict"] for row in rows]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    console.print(f"{len(rows)} claims: {counts}")


@app.command()
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="a commit, branch, tag, experiment or folder")],
    after: Annotated[str, typer.Argument(metavar="B", help="the same; the workspace if left out")] = "workspace",
    csv: Annotated[bool, typer.Option("--csv", help="the rows as CSV")] = False,
) -> None:
    """Say what changed between two results, and what it did to each net.

    A and B are commits, branches, tags, DVC experiments, the word workspace, or folders: a results folder or another
    checkout. Errors are compared image by image, as the steps of the history are.

    Examples: `replay compare HEAD`, `replay compare main slower`, `replay compare ~/old/results/quick results/quick`.
    """
    from ilsvrc_replay.tools.compare import changes, changes_table, sides

    old, new = sides.find(before), sides.find(after)
    rows = changes.rows(old, new)
    if csv:
        typer.echo(files.as_csv(rows, changes.COLUMNS), nl=False)
    else:
        changes_table.show(wide_console(), old, new, rows)


@app.command()
def doctor(
    network: Annotated[bool, typer.Option("--network", help="ask MLflow's server, too, if there is one")] = False,
) -> None:
    """Say whether all that a study needs is there; if not, what to do.

    Ends with status 1 if something is missing. Nothing is changed.

    Examples: `replay doctor`, `replay doctor --network`.
    """
    from ilsvrc_replay.tools.doctor import MISSING, NOTE, examine

    styles, console, missing = {MISSING: "red", NOTE: "yellow"}, wide_console(), []
    for name, finding in examine(network):
        console.print(f"{finding.status:8}", style=styles.get(finding.status, "green"), end="")
        console.print(f"{name:12} {finding.text}", markup=False)
        missing += [name] if finding.status == MISSING else []
    if missing:
        raise StudyError(f"not ready: {', '.join(missing)}")


@app.command()
def bench(
    entries: Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]...", help="of params.yaml; all")] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="of each measurement")] = 2.0,
    rounds: Annotated[int, typer.Option(min=1, help="measurements of each speed, in turns; the median counts")] = 3,
    threads: Annotated[int | None, typer.Option(min=1, help="of the training; all cores, which a study shares")] = None,
    loaders: Annotated[bool, typer.Option(help="also against torchvision's and timm's loaders")] = True,
    output: Annotated[Path | None, typer.Option(help="CSV file; for all entries results/bench/<study>.csv")] = None,
) -> None:
    """Measure how fast the study in params.yaml trains.

    With the real loop, one net at a time on an otherwise idle machine. Beside it: the same net stepping on one resident
    batch, which no loop surpasses, and plain loops over the loaders of torchvision and timm on 64 px JPEG files. Needs
    the packed data: `dvc repro prepare`.

    Examples: `replay bench`, `replay bench alexnet --seconds 5 --rounds 5`, `replay bench --no-loaders`.
    """
    from ilsvrc_replay.tools.bench import bench_table
    from ilsvrc_replay.tools.bench import measure as benchmark

    study = load_study()
    compute = study.compute.model_copy(update={"threads": threads or len(os.sched_getaffinity(0))})
    study = study.model_copy(update={"compute": compute})
    rows: list[dict] = []
    target = output or (None if entries else Path("results/bench") / f"{study.study}.csv")
    console = wide_console()
    for row in benchmark.rows(study, entries or list(study.entries), loaders, seconds, rounds):
        rows.append(row)
        console.print(bench_table.line(row))
        if target:
            files.write_text(target, files.as_csv(rows))
    bench_table.show(console, rows)
    if loaders:
        stored = benchmark.shards(rounds)
        for row in stored:
            console.print(bench_table.stored(row))
        if target:
            files.write_text(target.with_name(f"{target.stem}-shards.csv"), files.as_csv(stored))
    if target:
        console.print(f"Written to {target}")


@app.command()
def plan(
    name: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="of pipelines/studies; params.yaml's")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="runs at once, as of `replay run`")] = 0,
    seconds: Annotated[float, typer.Option(min=0.1, help="of each measurement")] = 1.0,
) -> None:
    """Say how long a study takes on this machine, and what is left of it, before anything is trained.

    Every entry takes a few steps, on as many cores as it will have; what is up to date is taken off. Another study than
    that in params.yaml counts as a whole. Speeds are measured on its packed data: `dvc repro prepare` first.

    Examples: `replay plan`, `replay plan history`.
    """
    from ilsvrc_replay.recipes.check import check
    from ilsvrc_replay.runtime.gpus import find
    from ilsvrc_replay.tools import studies
    from ilsvrc_replay.tools.plan import estimate, plan_table

    study = load_study(studies.file(name)) if name else load_study()
    check(study)
    if not (data := Path("data/packed") / study.dataset.name).is_dir():
        first = f"`replay use {study.study}`, `dvc repro prepare`" if name else "`dvc repro prepare`"
        raise StudyError(
            f"{data} is not there, and speeds are measured on a study's images: {first}, then `replay plan`"
        )
    todo = None if name else launcher.outdated()
    jobs = jobs or launcher.default_jobs(study.compute, find(study.compute))
    plan_table.show(wide_console(), estimate.plan(study, todo, jobs, seconds))


@app.command()
def use(name: Annotated[str | None, typer.Argument(help="a study; without it, all are listed")] = None) -> None:
    """Put another study in place, as params.yaml, or list the studies.

    It is a copy of pipelines/studies/NAME.yaml; a params.yaml that was edited is kept as params.yaml.before, the next
    as params.yaml.before.2 and so on.

    Examples: `replay use`, `replay use miniature`.
    """
    from ilsvrc_replay.tools import studies

    if name is None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("study", no_wrap=True, style="bold")
        table.add_column("what it asks", ratio=1)
        table.add_column("what it takes", ratio=1, style="dim")
        for study, (question, takes) in studies.known().items():
            table.add_row(study, escape(question), escape(takes))
        wide_console().print(table)
        typer.echo("`replay plan STUDY` says how long one takes on this machine")
        return
    if kept := studies.put_in_place(name):
        typer.echo(f"params.yaml was edited: it is kept as {kept}")
    typer.echo(f"params.yaml now holds the study {name}; run it with `make study` or `dvc repro`")


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 5000) -> None:
    """Browse the runs of the study in params.yaml in MLflow, and print where.

    MLflow serves its pages to this machine alone until Ctrl-C. With MLFLOW_TRACKING_URI a server of yours has them.

    Examples: `replay ui`, `replay ui --port 5001`.
    """
    from ilsvrc_replay.runtime import mlflow_server

    mlflow_server.serve(load_study().study, port)


@app.command()
def sync() -> None:
    """Show MLflow what it lacks: what it did not get while it could not be reached, and finished runs.

    Example: `MLFLOW_TRACKING_URI=http://server:5000 replay run`, and once the server is back, `replay sync`.
    """
    from ilsvrc_replay.runtime import tracking

    if not Path("dvc.yaml").is_file():
        raise StudyError("there is no dvc.yaml here: run from the repository's root")
    tracking.sync()
    typer.echo("MLflow is up to date; nothing is left to send")


def wide_console() -> Console:
    """A console that cuts no line short, also into a file."""
    return Console(width=None if sys.stdout and sys.stdout.isatty() else 120, highlight=False, soft_wrap=True)
