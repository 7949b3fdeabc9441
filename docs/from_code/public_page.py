"""docs/reference/python.md: what `import ilsvrc_replay` offers, with the first sentence of each docstring."""

from __future__ import annotations

import inspect
from typing import Any

import ilsvrc_replay

HEAD = """# Python

What `import ilsvrc_replay` offers. [Train with Lightning](../how-to/lightning.md) shows it at work, and
[your_own_model.ipynb](../../notebooks/your_own_model.ipynb) trains a net of your own.

| name | |
|---|---|
"""
# Where the site lists them in full (docs/hooks/python_page.py) stands on the code host:
REST = """
<!-- python -->

`help(ilsvrc_replay.build)` prints all of a docstring; `make docs` builds a site in which this page has them all.
"""


def page() -> str:
    found = ((name, getattr(ilsvrc_replay, name)) for name in ilsvrc_replay.__all__)
    return (
        HEAD + "".join(f"| `{name}{signature(public)}` | {first_sentence(public)} |\n" for name, public in found) + REST
    )


def signature(public: Any) -> str:
    """The names of a function's arguments."""
    return "" if inspect.isclass(public) else f"({', '.join(inspect.signature(public).parameters)})"


def first_sentence(public: Any) -> str:
    return f"{' '.join(inspect.getdoc(public).split()).partition('. ')[0].rstrip('.')}."
