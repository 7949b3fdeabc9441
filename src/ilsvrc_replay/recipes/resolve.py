"""params.yaml and the published recipes, resolved once into runs that hold every value."""

from __future__ import annotations

from pydantic import ValidationError

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import path_of
from ilsvrc_replay.params import Study, explain
from ilsvrc_replay.recipes import fingerprints
from ilsvrc_replay.recipes.catalogue import complete, of_net
from ilsvrc_replay.recipes.user_callbacks import sources_of
from ilsvrc_replay.run import Recipe, Run, Search, Testing, Weights

TRAINED_WITH = ("torch", "torchvision", "timm", "pytorch-lightning", "numpy")


def resolve(study: Study, name: str) -> Run:
    """The entry `name` with every value. Raises StudyError, naming the entry, if its net or recipe does not exist."""
    try:
        return Run(
            entry=name,
            net=study.net(name),
            recipe_name=study.recipe(name),
            recipe=None if study.recipe(name) == "pretrained" else recipe(study, name),
            search=search(study, name),
            weights=weights(study.entry(name).weights),
            callbacks=study.callbacks(name),
            compute=study.compute,
            testing=Testing(protocols=study.protocols(name), batch_size=study.evaluation.batch_size),
            versions=fingerprints.versions("torch", "torchvision", "timm", "pytorch-lightning", "numpy", "pillow"),
            code=fingerprints.code_of_net(study.net(name).architecture),
            sources=sources_of(study.callbacks(name)),
        )
    except StudyError as error:
        raise StudyError(f"entries.{name}: {error}") from None
    except ValidationError as error:  # of values that fit only by themselves, completed by the recipe's
        raise StudyError(f"entries.{name}: {explain(error.errors()[0])}") from None


def resolve_all(study: Study) -> dict[str, Run]:
    """Every entry of the study, resolved."""
    return {name: resolve(study, name) for name in study.entries}


def as_trained(run: Run) -> Run:
    """As much of `run` as decides its weights."""
    return run.model_copy(update={"testing": None, "versions": fingerprints.versions(*TRAINED_WITH)})


def recipe(study: Study, name: str) -> Recipe:
    """The recipe of an entry: the published one, the study's defaults over it, the entry's own values over both; of
    values to be searched the first."""
    found = of_net(study.recipe(name), study.net(name).architecture)
    values = found | study.defaults.overrides | study.entry(name).overrides
    return complete(values | {key: choices[0] for key, choices in study.grids(name).items()})


def search(study: Study, name: str) -> Search | None:
    """What stage tune has to choose for an entry, if anything."""
    for key, values in study.grids(name).items():
        return Search(key=key, values=values, share=study.tuning.share, seed=study.tuning.seed)
    return None


def weights(name: str | None) -> Weights | None:
    """What stands for an entry's published weights; a file by its content, so that another in its place is noticed.

    Raises StudyError if the file is not there.
    """
    if name is None:
        return None
    found = Weights(name=name)
    return found if found.of_library else Weights(name=name, sha256=fingerprints.of_file(path_of(name).expanduser()))
