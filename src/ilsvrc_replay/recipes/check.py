"""What the schema of params.yaml cannot know: whether its entries name nets, recipes and weights that exist."""

from __future__ import annotations

import difflib

from ilsvrc_replay import nets
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.protocols import DENSE_FAMILIES
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve_all


def check(study: Study) -> None:
    """Raises StudyError with one line that names the first entry that cannot be trained or tested, and why.

    Names in torchvision's and timm's lists are looked up by `check_libraries`, which loads these libraries.
    """
    if study.compute.trainer:
        from ilsvrc_replay.training.lightning_trainer import check_arguments  # loads Lightning, seconds

        check_arguments(study.compute.trainer)
    for name, ensemble in study.evaluation.ensembles.items():
        if ensemble.stands_for and ensemble.stands_for not in nets.families():
            near = difflib.get_close_matches(ensemble.stands_for, nets.families(), n=1, cutoff=0)
            raise StudyError(f"evaluation.ensembles.{name}.stands_for names no net; did you mean {near[0]}?")
    for name, run in resolve_all(study).items():
        family = nets.family(run.net.architecture)
        dense = [protocol for protocol in run.testing.protocols if protocol.startswith("dense")]
        if dense and family not in DENSE_FAMILIES:
            raise StudyError(
                f"entries.{name}: the protocol {dense[0]} is for the families {', '.join(DENSE_FAMILIES)},"
                f" not {family}; give the entry `protocols` of its own"
            )
        others = [protocol for protocol in run.testing.protocols if not protocol.startswith("single_crop")]
        if run.weights and run.weights.of_library and others:
            raise StudyError(
                f"entries.{name}: a library's weights are tested as it does, by single_crop, not by {others[0]}"
            )


def check_libraries(study: Study) -> None:
    """Raises StudyError naming the first entry whose net or weights torchvision or timm do not have."""
    for name, run in resolve_all(study).items():
        if nets.family(run.net.architecture) != nets.LIBRARY and not run.weights:
            continue
        from ilsvrc_replay.models import library_weights, registry

        try:
            registry.find(run.net.architecture)
            library_weights.find(run)
        except StudyError as error:
            raise StudyError(f"entries.{name}: {error}") from None


def check_callbacks(study: Study) -> None:
    """Raises StudyError naming the first entry whose callbacks cannot be made, or are none of Lightning's."""
    for name in study.entries:
        if callbacks := study.callbacks(name):
            from ilsvrc_replay.training.callbacks import make_callbacks  # loads Lightning, seconds

            try:
                make_callbacks(callbacks)
            except StudyError as error:
                raise StudyError(f"entries.{name}: {error}") from None
