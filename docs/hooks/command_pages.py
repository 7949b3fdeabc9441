"""The reference of the commands: what `--help` says of each, by typer's own writer of documentation."""

from __future__ import annotations

from typing import Any

import click
from typer.cli import get_docs_for_click
from typer.main import get_command

from ilsvrc_replay.commands import app

MARK = "<!-- commands -->"  # what follows it stands on the code host in their place


def on_page_markdown(markdown: str, **_: Any) -> str:
    before, mark, _instead = markdown.partition(MARK)
    return before + commands() if mark else markdown


def commands() -> str:
    command = get_command(app)
    return get_docs_for_click(obj=command, ctx=click.Context(command, info_name="replay"), name="replay", indent=1)
