"""The typed schema of params.yaml: one study, whole and checked before anything runs."""

from __future__ import annotations

import difflib
import os
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo

from ilsvrc_replay.datasets import Dataset, UserPath
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation.protocols import PROTOCOLS
from ilsvrc_replay.files import read_file
from ilsvrc_replay.run import NAME, Activation, Compact, Compute, Crop, Net, Recipe, Schedule, Seed, Share, Strict
from ilsvrc_replay.yaml_text import LARGEST, parse


def differ(values: list[Any]) -> list[Any]:
    """Raises ValueError if a value stands there twice."""
    if twice := next((value for place, value in enumerate(values) if value in values[:place]), None):
        raise ValueError(f"{twice} stands there twice")
    return values


def no_truth(value: Any) -> Any:
    """True counts as 1 in Python."""
    if isinstance(value, bool):
        raise ValueError("true and false are no factors")
    return value


Name = Annotated[str, Field(pattern=f"^{NAME}$")]
DottedPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
Protocol = Annotated[str, Field(pattern=f"^({'|'.join(PROTOCOLS)})(@[1-9][0-9]*)?$")]  # @N: first N test images alone

Protocols = Annotated[list[Protocol], Field(min_length=1), AfterValidator(differ)]
Factor = Annotated[Compact, BeforeValidator(no_truth)]

AT_ONCE = 1024  # threads, devices and machines: more are a slip of the pen
FEW = 10  # keys that are named all


class EnsembleParams(Strict):
    """A row of the leaderboard that averages the probabilities of several entries' runs."""

    members: Annotated[list[Name], AfterValidator(differ)] = Field(min_length=2, description="entries")
    stands_for: str | None = Field(None, description="the architecture with whose published ensemble it is compared")


class Evaluation(Strict):
    protocols: Protocols = Field(description="ways to test; with @N after the name, on N images")
    batch_size: int = Field(ge=1, description="views that a net reads at once")
    ensembles: dict[Name, EnsembleParams] = Field(
        default_factory=dict, description="rows that average entries, by names that you choose"
    )


class Grid(Strict):
    """Values of which stage tune chooses the one with the lowest error on validation images."""

    search: Annotated[list[Any], Field(min_length=2)]

    @model_validator(mode="after")
    def values_differ(self) -> Grid:
        if len(set(self.search)) != len(self.search):
            raise ValueError("the same value stands there twice")
        if None in self.search:
            raise ValueError("null is no number to search")
        return self


def searchable(name: str, annotation: Any) -> Any:
    """A number, or a Grid of such numbers, for the field `name`."""
    values = (Annotated[list[annotation], Field(min_length=2)], ...)
    numbers = create_model(f"{name}_grid", __base__=Grid, __module__=__name__, search=values)
    globals()[numbers.__name__] = numbers  # where pickle looks for it
    either = Annotated[annotation, Tag("<number>")] | Annotated[numbers, Tag("<grid>")]
    told_apart = Discriminator(lambda value: "<grid>" if isinstance(value, (dict, Grid)) else "<number>")
    return Annotated[either, told_apart, Field(description=Recipe.model_fields[name].description)]


def is_number(annotation: Any) -> bool:
    """Whether a field holds a number, or a number or nothing."""
    found = [get_args(part)[0] if get_origin(part) is Annotated else part for part in get_args(annotation)]
    return bool({int, float} & {annotation, *found})


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
# How long a net trains is its budget, which nothing chooses.
SEARCHABLE = [name for name, field in Recipe.model_fields.items() if is_number(field.annotation) and name != "epochs"]
FIELDS = optional(Recipe)
PartialRecipe = create_model(
    "PartialRecipe",
    __base__=Strict,
    **FIELDS
    | {name: (searchable(name, FIELDS[name][0]), None) for name in SEARCHABLE}
    | {"schedule": (PartialSchedule, None), "crop": (PartialCrop, None)},
)


class Defaults(PartialRecipe):
    """What all entries share. Values of the recipe that are given here take the place of the recipe's own."""

    recipe: Name = Field("era", description="era, another recipe of recipes.yaml, or pretrained: published weights")
    width: float = Field(1.0, gt=0, le=16, description="factor on every channel count")
    activation: Activation = Field("relu", description="tanh: in place of every ReLU")
    protocols: Protocols | None = Field(None, description="null: the study's")
    callbacks: dict[DottedPath, dict[str, JsonValue] | None] | None = Field(
        None, description="Lightning callbacks of the training: the arguments of each, by its class's dotted path"
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """The recipe's values that are given, parts of a schedule or crop as far as they are."""
        return self.model_dump(include=set(Recipe.model_fields), exclude_unset=True)


class Entry(Defaults):
    """A row of the leaderboard: a net with its recipe. What is given here takes the place of the study's defaults."""

    architecture: str | None = Field(None, description="a name of `replay models`, or of a library; null: the entry's")
    weights: UserPath | None = Field(
        None, description="pretrained: torchvision/<net>:<weights>, timm/<net>.<tag> or a file"
    )
    compact: Factor | None = Field(None, description="factor by which the total stride is lowered; null: the study's")
    year: int | None = Field(None, ge=1950, le=2100, description="of a net that is not of the history, for the charts")


class Tuning(Strict):
    """How stage tune looks for the values that an entry has as `{search: [...]}`: the same for all."""

    share: Share = Field(0.3, description="of the entry's epochs for which it trains with each value")
    seed: Seed = Field(1000, description="of these trainings; none of the study's")


class Study(Strict):
    """What params.yaml says: a data set, entries with their recipes, seeds, and how they are trained and tested."""

    study: Name = Field(description="name of the study, and of the folder of its results")
    question: str = Field("", description="that the study answers, in a sentence; over its page")
    dataset: Dataset = Field(description="the images")
    compute: Compute = Field(Compute(), description="on what runs train, and how")
    evaluation: Evaluation = Field(description="how runs are tested")
    seeds: list[Seed] = Field(min_length=1, description="one run of every entry for each")
    tuning: Tuning = Field(Tuning(), description="how a searched value is chosen")
    compact: Annotated[Literal[1, 2, 4, 8, 16], BeforeValidator(no_truth)] = Field(
        1, description="factor by which every net's total stride is lowered"
    )
    defaults: Defaults = Field(Defaults(), description="what all entries share")
    entries: dict[Name, Entry] = Field(min_length=1, description="the rows of the board, by names that you choose")
    steps: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] | None = Field(
        None, description="pairs of entries, earlier and later, whose change is judged; null: the history's"
    )

    @model_validator(mode="after")
    def machine_is_of_this_world(self) -> Study:
        for key in ("threads", "devices", "nodes"):
            if (value := getattr(self.compute, key)) > AT_ONCE:
                raise ValueError(f"compute.{key} is {value}: at most {AT_ONCE:,}")
        for key, value in self.compute.trainer.items():
            try:
                TypeAdapter(JsonValue).validate_python(value)
            except ValidationError:
                raise ValueError(
                    f"compute.trainer.{key}: {value!r} is no number or text, list or keys of them"
                ) from None
        return self

    @model_validator(mode="after")
    def seeds_differ(self) -> Study:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: the same seed stands there twice")
        if self.tuning.seed in self.seeds:
            raise ValueError(f"tuning.seed: {self.tuning.seed} is also one of seeds: give the search one of its own")
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
            given = [*entry.overrides, *(["callbacks"] if entry.callbacks else [])]
            if entry.weights is not None and given:
                key = given[0]
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

    @model_validator(mode="after")
    def one_value_is_searched(self) -> Study:
        for name in self.entries:
            if len(keys := list(self.grids(name))) > 1:
                raise ValueError(f"entries.{name}: {' and '.join(keys)} are both searched: search one of them")
        return self

    @model_validator(mode="after")
    def steps_join_entries(self) -> Study:
        for before, after in self.steps or ():
            if missing := {before, after} - self.entries.keys():
                raise ValueError(f"steps: there is no entry {min(missing)!r}")
            if before == after:
                raise ValueError(f"steps: [{before}, {after}] leads from an entry to itself")
        pairs = [tuple(sorted(pair)) for pair in self.steps or ()]
        if twice := next((pair for place, pair in enumerate(pairs) if pair in pairs[:place]), None):
            raise ValueError(f"steps: {' and '.join(twice)} are compared twice")
        return self

    def entry(self, name: str) -> Entry:
        """The entry called `name`. Raises StudyError that names those there are."""
        if name not in self.entries:
            raise StudyError(f"there is no entry {name!r} in params.yaml; there are {', '.join(self.entries)}")
        return self.entries[name]

    @property
    def of_history(self) -> bool:
        """Whether it asks for the history. One whose `steps` are none compares pairs of nets for what is claimed."""
        return self.steps != []

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Every (entry, seed) of the study."""
        return [(entry, seed) for entry in self.entries for seed in self.seeds]

    def given(self, name: str, key: str) -> Any:
        """The value of `key` for an entry: its own where it gives one, else the study's default."""
        entry = self.entry(name)
        return getattr(entry if key in entry.model_fields_set else self.defaults, key)

    def grids(self, name: str) -> dict[str, list[int | float]]:
        """The values to choose from, by key of an entry's recipe."""
        if self.recipe(name) == "pretrained":
            return {}
        given = {key: self.given(name, key) for key in SEARCHABLE}
        return {key: value.search for key, value in given.items() if isinstance(value, Grid)}

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

    def callbacks(self, name: str) -> dict[str, dict[str, Any]]:
        """The callbacks of an entry's training, with their arguments: its own, or else the study's."""
        given = self.given(name, "callbacks") if self.recipe(name) != "pretrained" else None
        return {path: arguments or {} for path, arguments in (given or {}).items()}

    def protocols(self, name: str) -> list[str]:
        """The test protocols of an entry: its own, or else the study's."""
        return self.given(name, "protocols") or self.evaluation.protocols


def load_study(path: Path | str = "params.yaml") -> Study:
    """Read and check a study. Raises StudyError with one line that names the first wrong key and what it may be."""
    path = Path(path)
    if not os.path.lexists(path):
        raise StudyError(f"{path} is missing: run from the repository's root, or copy a study from pipelines/studies")
    text = read_file(path, 4 * LARGEST)
    try:
        content = parse(text.decode())
    except (UnicodeDecodeError, StudyError) as error:
        if marks := [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(b"<<<<<<< ")]:
            raise StudyError(f"{path}, line {marks[0]}: git could not merge it; settle what differs there") from None
        raise StudyError(f"{path} is not YAML: {error}") from None
    try:
        return Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(f"{path}: {explain(error.errors()[0])}") from None


def explain(error: Any) -> str:
    """One line for the first of pydantic's errors: the key, what is wrong with it, and the nearest valid one."""
    *parents, key = [str(part) for part in error["loc"] if part not in ("<number>", "<grid>")] or ["the file"]
    where = ".".join(part if part.isprintable() else repr(part) for part in [*parents, key])
    if error["type"] == "extra_forbidden":
        return f"{where} is not a known key; {nearest(key, fields(parents))}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}" if error["loc"] else str(error["ctx"]["error"])
    given = reprlib.repr(error["input"])
    if "callbacks" in parents and error["type"] == "string_pattern_mismatch":
        return f"{'.'.join(parents[:-1])}: {given} is no dotted path of a class, such as my_callbacks.Noise"
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
