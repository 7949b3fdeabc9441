"""The typed schema of params.yaml: one study, whole and checked before anything runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, create_model, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.protocols import PROTOCOLS
from ilsvrc_replay.run import Activation, Compact, Compute, Crop, Net, Recipe, Schedule, Seed, Strict

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Protocol = Annotated[str, Field(pattern=f"^({'|'.join(PROTOCOLS)})(@[1-9][0-9]*)?$")]  # @N: first N test images alone


class EnsembleParams(Strict):
    """A row of the leaderboard that averages the probabilities of several entries' runs."""

    members: list[Name] = Field(min_length=2, description="entries")
    stands_for: str | None = Field(None, description="the architecture with whose published ensemble it is compared")


class Evaluation(Strict):
    protocols: list[Protocol] = Field(min_length=1)
    batch_size: int = Field(ge=1, description="views that a net reads at once")
    ensembles: dict[Name, EnsembleParams] = Field(default_factory=dict)


def optional(model: type[Strict], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of `model` as those of a part of it: all but `required` may be left out, and then are not set."""
    return {
        name: (Annotated[field.annotation, Field(), *field.metadata], ... if name in required else None)
        for name, field in model.model_fields.items()
    }


PartialSchedule = create_model("PartialSchedule", __base__=Strict, **optional(Schedule, ("kind",)))
PartialCrop = create_model("PartialCrop", __base__=Strict, **optional(Crop, ("kind",)))
PartialRecipe = create_model(
    "PartialRecipe",
    __base__=Strict,
    **optional(Recipe) | {"schedule": (PartialSchedule, None), "crop": (PartialCrop, None)},
)


class Defaults(PartialRecipe):
    """What all entries share. Values of the recipe that are given here take the place of the recipe's own."""

    recipe: Name = Field("era", description="era, another recipe of recipes.yaml, or pretrained: published weights")
    width: float = Field(1.0, gt=0, description="factor on every channel count")
    activation: Activation = Field("relu", description="tanh: in place of every ReLU")
    protocols: list[Protocol] | None = Field(None, min_length=1, description="null: the study's")

    @property
    def overrides(self) -> dict[str, Any]:
        """The recipe's values that are given, parts of a schedule or crop as far as they are."""
        return self.model_dump(include=set(Recipe.model_fields), exclude_unset=True)


class Entry(Defaults):
    """A row of the leaderboard: a net with its recipe. What is given here takes the place of the study's defaults."""

    architecture: str | None = Field(None, description="a name of `replay models`, or of a library; null: the entry's")
    weights: str | None = Field(None, description="pretrained: torchvision/<net>:<weights>, timm/<net>.<tag> or a file")
    compact: Compact | None = Field(None, description="factor by which the total stride is lowered; null: the study's")


class Study(Strict):
    study: Name
    dataset: Dataset
    compute: Compute = Compute()
    evaluation: Evaluation
    seeds: list[Seed] = Field(min_length=1)
    compact: Literal[1, 2, 4, 8, 16] = Field(1, description="factor by which every net's total stride is lowered")
    defaults: Defaults = Defaults()
    entries: dict[Name, Entry] = Field(min_length=1)

    @model_validator(mode="after")
    def seeds_differ(self) -> Study:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: the same seed stands there twice")
        published = [name for name in self.entries if self.recipe(name) == "pretrained"]
        if published and len(self.seeds) > 1:
            raise ValueError(f"seeds: {published[0]} has published weights, which know no seeds: give one seed")
        return self

    @model_validator(mode="after")
    def weights_are_trained_or_published(self) -> Study:
        for name, entry in self.entries.items():
            if (entry.weights is not None) != (self.recipe(name) == "pretrained"):
                raise ValueError(
                    f"entries.{name}: weights and `recipe: pretrained` belong together: one of them is missing"
                )
            if entry.weights is not None and entry.overrides:
                key = next(iter(entry.overrides))
                raise ValueError(f"entries.{name}: {key} has no meaning for published weights: leave it out")
        return self

    @model_validator(mode="after")
    def ensembles_have_members(self) -> Study:
        for name, ensemble in self.evaluation.ensembles.items():
            if name in self.entries:
                raise ValueError(f"evaluation.ensembles.{name} has the name of an entry")
            for member in ensemble.members:
                if member not in self.entries:
                    raise ValueError(f"evaluation.ensembles.{name}.members: there is no entry {member!r}")
        return self

    def entry(self, name: str) -> Entry:
        """The entry called `name`. Raises StudyError that names those there are."""
        if name not in self.entries:
            raise StudyError(f"there is no entry {name!r} in params.yaml; there are {', '.join(self.entries)}")
        return self.entries[name]

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Every (entry, seed) of the study."""
        return [(entry, seed) for entry in self.entries for seed in self.seeds]

    def given(self, name: str, key: str) -> Any:
        """The value of `key` for an entry: its own where it gives one, else the study's default."""
        entry = self.entry(name)
        return getattr(entry if key in entry.model_fields_set else self.defaults, key)

    def net(self, name: str) -> Net:
        """The net of an entry."""
        entry = self.entry(name)
        return Net(
            architecture=entry.architecture or name,
            width=self.given(name, "width"),
            compact=self.compact if entry.compact is None else entry.compact,
            activation=self.given(name, "activation"),
        )

    def recipe(self, name: str) -> str:
        """The name of an entry's recipe."""
        return self.given(name, "recipe")

    def protocols(self, name: str) -> list[str]:
        """The test protocols of an entry: its own, or else the study's."""
        return self.given(name, "protocols") or self.evaluation.protocols


def load_study(path: Path | str = "params.yaml") -> Study:
    """Read and check a study. Raises StudyError with one line that names the first wrong key and what it may be."""
    path = Path(path)
    try:
        # YAML 1.2, as DVC reads it: 1e-4 is a number
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"{path} is missing: run from the repository's root, or copy a study from pipelines/studies"
        ) from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(f"{path}: {explain(error.errors()[0])}") from None


def explain(error: Any) -> str:
    """One line for the first of pydantic's errors: the key, what is wrong with it, and the nearest valid one."""
    *parents, key = [str(part) for part in error["loc"]] or ["the file"]
    where = ".".join([*parents, key])
    if error["type"] == "extra_forbidden":
        valid = valid_keys(parents)
        nearest = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest else f"valid keys are {', '.join(valid)}"
        return f"{where} is not a known key; {hint}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}" if error["loc"] else str(error["ctx"]["error"])
    if "protocols" in parents and error["type"] == "string_pattern_mismatch":
        return f"{where} is {error['input']!r}: a protocol is one of {', '.join(PROTOCOLS)}, or one of them@N images"
    return f"{where} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def valid_keys(parents: list[str]) -> list[str]:
    models: dict[str, type[Strict]] = {
        "dataset": Dataset,
        "compute": Compute,
        "evaluation": Evaluation,
        "defaults": Defaults,
    }
    if not parents:
        return list(Study.model_fields)
    if parents[:2] == ["evaluation", "ensembles"]:
        return list(EnsembleParams.model_fields)
    if parents[-1] in ("schedule", "crop"):
        return list({"schedule": Schedule, "crop": Crop}[parents[-1]].model_fields)
    return list(models.get(parents[0], Entry).model_fields)
