"""What the schema of params.yaml cannot know: whether its entries name nets and recipes that exist."""

from __future__ import annotations

from ilsvrc_replay.architectures import pretrained
from ilsvrc_replay.architectures.registry import find
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Study
from ilsvrc_replay.training.recipes import resolve


def check(study: Study) -> None:
    """Raises StudyError with one line that names the first entry that cannot be trained, and why."""
    for name, entry in study.entries.items():
        try:
            family, _ = find(entry.architecture)
            if entry.recipe == "pretrained":
                pretrained.find(entry)
            else:
                resolve(entry)
        except StudyError as error:
            raise StudyError(f"entries.{name}: {error}") from None
        if entry.family != family:
            raise StudyError(f"entries.{name}.family is {entry.family}, but {entry.architecture} is of family {family}")
