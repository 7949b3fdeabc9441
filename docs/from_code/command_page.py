"""docs/reference/commands.md: what `--help` says of each command, by typer's own writer of documentation."""

from __future__ import annotations

import click
from typer.cli import get_docs_for_click
from typer.main import get_command

from ilsvrc_replay.commands import app

HEAD = """# Commands

What `replay --help` says of all commands, and `replay run --help` of one.

"""


def page() -> str:
    command = get_command(app)
    return HEAD + get_docs_for_click(
        obj=command, ctx=click.Context(command, info_name="replay"), name="replay", indent=1
    )
