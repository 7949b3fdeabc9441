"""The plan of a study on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ilsvrc_replay.tools.plan.estimate import Plan


def show(console: Console, plan: Plan) -> None:
    """Print what is left of every entry, and the whole in the last line."""
    table = Table(title="What is left to do, with speeds measured just now")
    table.add_column("entry", no_wrap=True)
    for name in ("runs", "steps", "images/s", "search", "train a run", "test a run", "in all", "MiB"):
        table.add_column(name, no_wrap=True, justify="right")
    for work in plan.work:
        probe = work.probe
        table.add_row(
            probe.entry,
            str(len(work.runs)),
            f"{probe.steps:,}" if probe.steps else "–",
            f"{probe.images_per_s:,.0f}" if probe.steps else "–",
            clock(work.search_s) if work.searched else "",
            clock(work.seconds - work.test_s) if work.trained else "done",
            clock(work.test_s),
            clock(work.search_s + sum(work.runs)),
            f"{probe.memory_mib:,}",
        )
    if plan.work:
        console.print(table)
    console.print(line(plan))


def line(plan: Plan) -> str:
    """The whole plan in a sentence."""
    left = sum(len(work.runs) for work in plan.work)
    if not left:
        return f"all {plan.runs} runs are done"
    done = f", {plan.runs - left} are done" if plan.runs > left else ""
    return f"{left} of {plan.runs} runs to do{done}: {needs(plan)}"


def needs(plan: Plan) -> str:
    """The time, memory and disk that what is left takes."""
    return (
        f"about {clock(plan.seconds)}, {plan.abreast} at once at full speed;"
        f" memory {plan.memory_mib / 1024:.1f} GiB, disk {plan.saved_bytes / 2**20:,.0f} MiB"
    )


def clock(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
