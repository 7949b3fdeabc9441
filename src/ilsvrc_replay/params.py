"""The typed schema of params.yaml: one study, whole and checked before anything runs."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, create_model, model_validator
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.protocols import PROTOCOLS
from ilsvrc_replay.run import NAME, Activation, Compact, Compute, Crop, Net, Recipe, Schedule, Seed, Strict

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Protocol = Annotated[str, Field(pattern=f"^({'|'.join(PROTOCOLS)})(@[1-9][0-9]*)?$")]  # @N: first N test images alone

LARGEST, DEEPEST = 1_000_000, 20  # characters of a study, and lists and keys in one another
FEW = 10  # keys that are named all


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
        name: (
            Annotated[field.annotation, Field(description=field.description), *field.metadata],
            ... if name in required else None,
        )
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
        content = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"{path} is missing: run from the repository's root, or copy a study from pipelines/studies"
        ) from None
    except (UnicodeDecodeError, StudyError) as error:
        raise StudyError(f"{path} is not YAML: {error}") from None
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(f"{path}: {explain(error.errors()[0])}") from None


def parse(text: str) -> Any:
    """Read YAML 1.2, as DVC does: 1e-4 is a number.

    Raises StudyError if it is none, and for what a few lines make endless: aliases of aliases, lists in lists.
    """
    if len(text) > LARGEST:
        raise StudyError(f"it has more than {LARGEST:,} characters")
    yaml, depth = YAML(typ="safe", pure=True), 0
    try:
        for event in yaml.parse(text):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if isinstance(event, AliasEvent):
                raise StudyError(f"line {event.start_mark.line + 1}: write out what *{event.anchor} stands for")
            if depth > DEEPEST:
                raise StudyError(f"line {event.start_mark.line + 1} is nested too deeply")
        return yaml.load(text)
    except (YAMLError, ValueError, KeyError) as error:  # the last two of tags that do not fit
        raise StudyError(" ".join(str(error).split())) from None


def explain(error: Any) -> str:
    """One line for the first of pydantic's errors: the key, what is wrong with it, and the nearest valid one."""
    *parents, key = [str(part) for part in error["loc"]] or ["the file"]
    where = ".".join(part if part.isprintable() else repr(part) for part in [*parents, key])
    if error["type"] == "extra_forbidden":
        return f"{where} is not a known key; {nearest(key, fields(parents))}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}" if error["loc"] else str(error["ctx"]["error"])
    given = reprlib.repr(error["input"])
    if "protocols" in parents and error["type"] == "string_pattern_mismatch":
        return f"{where} is {given}: a protocol is one of {', '.join(PROTOCOLS)}, or one of them@N images"
    return f"{where} is {given}: {error['msg'][0].lower()}{error['msg'][1:]}"


def nearest(key: str, valid: Mapping[str, FieldInfo]) -> str:
    """What may have been meant: a key with a similar name, or that is described so."""
    names = {field.description: name for name, field in valid.items() if field.description}
    names |= {name: name for name in valid}
    if found := difflib.get_close_matches(key, names, n=1, cutoff=0.5):
        return f"did you mean {names[found[0]]}?"
    if len(valid) <= FEW:
        return f"valid keys are {', '.join(valid)}"
    return f"the nearest are {', '.join(difflib.get_close_matches(key, valid, n=3, cutoff=0))}"


def fields(keys: Sequence[str]) -> Mapping[str, FieldInfo]:
    """The keys that may stand under `keys`, with what is known of each."""
    model, waiting = Study, list(keys)
    while waiting:
        annotation = model.model_fields[waiting.pop(0)].annotation
        if get_origin(annotation) is dict:
            waiting.pop(0)  # a name that the user gives
        model = model_of(annotation)
    return model.model_fields


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model in a type such as dict[Name, Entry]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_of, get_args(annotation))), None)
