"""The nets of the history, one family a file; NETS in each file lists its nets by name.

To add a net, add it to its family's NETS; to add a family, add a file. Nothing else lists them.
"""

from __future__ import annotations

import ast
import difflib
from functools import cache
from pathlib import Path

from ilsvrc_replay.errors import StudyError

HERE = Path(__file__).parent
LIBRARY = "library"  # the family of torchvision's and timm's nets


@cache
def families() -> dict[str, str]:
    """The family of every net of the history, by the net's name.

    Read from the files' text: importing them would load torch, which those who only look up a name do without.
    """
    found: dict[str, str] = {}
    for path in sorted(HERE.glob("[a-z]*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "NETS":
                found |= {key.value: path.stem for key in node.value.keys}
    return found


def family(name: str) -> str:
    """The family of the net `name`; LIBRARY for torchvision's and timm's. Raises StudyError with the nearest names."""
    if "/" in name:
        return LIBRARY
    known = families()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or list(known)
        raise StudyError(f"there is no architecture {name!r}; the nearest names are {', '.join(nearest)}")
    return known[name]
