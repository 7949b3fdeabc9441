from __future__ import annotations

from collections.abc import Iterator

from ilsvrc_replay.layers.compat import make_torchvision_importable
from ilsvrc_replay.papers.maintained import Maintained, maintained
from ilsvrc_replay.papers.published import published


def test_todays_errors_are_those_that_torchvisions_package_states() -> None:
    assert maintained() == dict(stated())


def stated() -> Iterator[tuple[str, Maintained]]:
    """The default weights of every published net that torchvision has."""
    make_torchvision_importable()
    from torchvision.models import get_model_weights, list_models

    for name in published().keys() & set(list_models()):
        weights = get_model_weights(name).DEFAULT
        accuracy = weights.meta["_metrics"]["ImageNet-1K"]
        errors = {f"top{k}_err": round(100 - accuracy[f"acc@{k}"], 2) for k in (1, 5)}
        yield name, Maintained(weights=str(weights), **errors)
