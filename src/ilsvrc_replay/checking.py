"""What the schema of params.yaml cannot know: whether its entries name nets and recipes that exist."""

from __future__ import annotations

from ilsvrc_replay.architectures import pretrained
from ilsvrc_replay.architectures.registry import find
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.dense import FAMILIES as DENSE_FAMILIES
from ilsvrc_replay.params import Study
from ilsvrc_replay.training.recipes import resolve


def check(study: Study) -> None:
    """Raises StudyError with one line that names the first entry that cannot be trained, and why."""
    for name, entry in study.entries.items():
        try:
            family, _ = find(entry.architecture)
            if entry.recipe == "pretrained":
                check_protocols(study, name, pretrained.find(entry) is not None)
            else:
                resolve(entry)
        except StudyError as error:
            raise StudyError(f"entries.{name}: {error}") from None
        dense = [protocol for protocol in study.protocols(name) if protocol.startswith("dense")]
        if dense and family not in DENSE_FAMILIES:
            raise StudyError(
                f"entries.{name}: the protocol {dense[0]} is for the families {', '.join(DENSE_FAMILIES)},"
                f" not {family}; give the entry `protocols` of its own"
            )
        if entry.family != family:
            raise StudyError(f"entries.{name}.family is {entry.family}, but {entry.architecture} is of family {family}")


def check_protocols(study: Study, name: str, of_library: bool) -> None:
    """Raises StudyError if a library's weights, which bring their own transform, are to be tested otherwise."""
    others = [protocol for protocol in study.protocols(name) if not protocol.startswith("single_crop")]
    if of_library and others:
        raise StudyError(f"a library's weights are tested as it does, by single_crop, not by {others[0]}")
