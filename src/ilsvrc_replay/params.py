"""The typed schema of params.yaml: one study, whole and checked before anything runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ilsvrc_replay.errors import StudyError

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Strict(BaseModel):
    """Nothing unknown is accepted, nothing is converted from another type, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Dataset(Strict):
    name: Literal["fashion-mnist", "digits", "cifar10", "tiny-imagenet", "imagefolder", "imagenet", "imagenet-val"] = (
        Field(description="which data set")
    )
    image_size: int = Field(32, ge=28, le=512, description="side of the packed images in px")
    val_images: int = Field(5000, ge=1, description="training images held out as val")
    folder: str | None = Field(None, description="the folder that has the original files; null: fetch them")


class Compute(Strict):
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(2, ge=1, description="CPU threads; part of the result, as sums round differently")
    deterministic: bool = Field(True, description="the same bytes at every run on the same kind of machine")


class Evaluation(Strict):
    protocols: list[Literal["single_crop"]] = Field(min_length=1)
    batch_size: int = Field(500, ge=1)


class Schedule(Strict):
    """How the learning rate falls over the training, `progress` running from 0 to 1."""

    kind: Literal["constant", "step", "cosine", "poly"]
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the training in which the rate first rises from 0")
    at: list[Fraction] = Field(default=[], description="step: fractions of the training at which the rate falls")
    factor: float = Field(0.1, gt=0, lt=1, description="step: what the rate is multiplied by at each of them")
    power: float = Field(1.0, gt=0, description="poly: the rate is (1 - progress) ** power")


class Recipe(Strict):
    """How weights come to be. Every value can be overridden by the entry of params.yaml that uses the recipe."""

    init: Literal["paper", "he", "glorot", "orthogonal"] = "paper"
    zero_residuals: bool = Field(False, description="start residual blocks as the identity")
    norm_bias: float = Field(0.0, ge=0, description="first bias of the batch normalisations outside residual blocks")
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="of the gradient; in adamw beta 1")
    weight_decay: float = Field(0.0, ge=0, description="sgd: added to the gradient; adamw: decoupled from it")
    schedule: Schedule = Schedule(kind="constant")
    batch_size: int = Field(128, ge=2)
    epochs: float = Field(1.0, gt=0, description="passes over the training images, also in parts")
    dropout: float | None = Field(None, ge=0, lt=1, description="for every dropout layer; null: as published")
    crop_pad: float = Field(0.125, ge=0, le=1, description="black margin for random crops, as a share of the side")
    flip: bool = Field(True, description="mirror half of the images")
    pca_colour: float = Field(0.0, ge=0, description="standard deviation of AlexNet's colour shift; 0: none")


class Entry(Recipe):
    """A row of the leaderboard: a net with its recipe. Recipe values given here override the recipe's."""

    architecture: str
    family: Name = Field(description="the file under src/ilsvrc_replay/architectures that defines the net")
    recipe: Literal["era", "modern", "pretrained"] = "era"
    weights: str | None = Field(None, description="pretrained: torchvision/<net>:<weights>, timm/<net>.<tag> or a file")
    width: float = Field(1.0, gt=0, description="factor on every channel count")
    compact: Literal["auto", 1, 2, 4, 8, 16] = Field("auto", description="factor by which the total stride is lowered")

    @property
    def overrides(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in Recipe.model_fields if key in self.model_fields_set}

    @property
    def of_library(self) -> bool:
        """Whether the weights are published by torchvision or timm, and not a file."""
        return self.weights is not None and self.weights.startswith(("torchvision/", "timm/"))

    @model_validator(mode="after")
    def weights_are_trained_or_published(self) -> Entry:
        if (self.weights is not None) != (self.recipe == "pretrained"):
            raise ValueError("weights and `recipe: pretrained` belong together: one of them is missing")
        if self.weights is not None and self.overrides:
            raise ValueError(f"{next(iter(self.overrides))} has no meaning for published weights: leave it out")
        return self


class Study(Strict):
    study: Name
    dataset: Dataset
    compute: Compute
    evaluation: Evaluation
    seeds: list[Seed] = Field(min_length=1)
    entries: dict[Name, Entry] = Field(min_length=1)

    @model_validator(mode="after")
    def seeds_differ(self) -> Study:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: the same seed stands there twice")
        published = [name for name, entry in self.entries.items() if entry.recipe == "pretrained"]
        if published and len(self.seeds) > 1:
            raise ValueError(f"seeds: {published[0]} has published weights, which know no seeds: give one seed")
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


def run_name(entry: str, seed: int) -> str:
    return f"{entry}-{seed}"


def load_study(path: Path | str = "params.yaml") -> Study:
    """Read and check a study. Raises StudyError with one line that names the first wrong key and what it may be."""
    path = Path(path)
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text())  # YAML 1.2, as DVC reads it: 1e-4 is a number
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
    return f"{where} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def valid_keys(parents: list[str]) -> list[str]:
    models: dict[str, type[Strict]] = {"dataset": Dataset, "compute": Compute, "evaluation": Evaluation}
    if not parents:
        return list(Study.model_fields)
    if parents[-1] == "schedule":
        return list(Schedule.model_fields)
    return list(models.get(parents[0], Entry).model_fields)
