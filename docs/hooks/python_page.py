"""The reference in Python: what `import ilsvrc_replay` offers, by mkdocstrings from the docstrings."""

from __future__ import annotations

from inspect import isclass
from typing import Any

import ilsvrc_replay

MARK = "<!-- python -->"  # what follows it stands on the code host in its place


def on_page_markdown(markdown: str, **_: Any) -> str:
    before, mark, _instead = markdown.partition(MARK)
    return before + "\n\n".join(f"::: {path(found)}" for found in public()) if mark else markdown


def public() -> list[Any]:
    """What the package offers, functions first."""
    return sorted((getattr(ilsvrc_replay, name) for name in ilsvrc_replay.__all__), key=isclass)


def path(found: Any) -> str:
    """Where it is defined."""
    return f"{found.__module__}.{found.__qualname__}"
