"""YAML as DVC reads it, within limits: what a few lines could make endless is refused at once."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from ilsvrc_replay.errors import StudyError

LARGEST, MOST, DEEPEST = 1_000_000, 100_000, 20  # characters of a file, values, and lists and keys in one another
HALF = re.compile("[\ud800-\udfff]")  # of a pair of surrogates


def parse(text: str) -> Any:
    """Read YAML 1.2, as DVC does: 1e-4 is a number.

    Raises StudyError if it is none, and for what a few lines make endless: aliases of aliases, lists in lists.
    """
    if len(text) > LARGEST:
        raise StudyError(f"it has more than {LARGEST:,} characters")
    yaml, sizes, opened, size = YAML(typ="safe", pure=True), {}, [], 0
    try:
        for event in yaml.parse(text):
            line = f"line {event.start_mark.line + 1}"
            if isinstance(event, ScalarEvent) and not event.value.isascii() and HALF.search(event.value):
                raise StudyError(f"{line} holds half of a character, \\ud800 to \\udfff")
            if isinstance(event, CollectionStartEvent):
                opened.append((event.anchor, size))
            elif isinstance(event, CollectionEndEvent):
                anchor, before = opened.pop()
                sizes[anchor] = size - before
            elif isinstance(event, AliasEvent):
                if event.anchor in dict(opened):
                    raise StudyError(f"{line}: *{event.anchor} stands within what it stands for")
                size += sizes.get(event.anchor, 0)
            size += 1
            if len(opened) > DEEPEST:
                raise StudyError(f"{line} is nested too deeply")
            if size > MOST:
                raise StudyError(f"{line}: with its aliases it has over {MOST:,} values")
        return yaml.load(text)
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:  # the others: of tags
        raise StudyError(" ".join(str(error).split())) from None
