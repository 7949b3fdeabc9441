"""The typed schema of params.yaml: one study, whole and checked before anything runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ilsvrc_replay.errors import StudyError

TRAINING, VALIDATION = "training_images", "validation_images"  # protocols that test on these
OTHER_IMAGES = {TRAINING: ("train", "training_labels"), VALIDATION: ("val", "validation_labels")}
PROTOCOLS = (  # evaluation/protocols.py defines them
    "single_crop",
    "ten_crop",
    "ten_crop_of_square",
    "crops_144",
    "crops_150",
    "dense",
    "dense_3_scales",
    "dense_5_scales",
    *OTHER_IMAGES,
)
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Number = TypeVar("Number")
Range = Annotated[list[Number], Field(min_length=2, max_length=2)]
Protocol = Annotated[str, Field(pattern=f"^({'|'.join(PROTOCOLS)})(@[1-9][0-9]*)?$")]  # @N: first N test images alone
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Strict(BaseModel):
    """Nothing unknown is accepted, nothing is converted from another type, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Dataset(Strict):
    name: Literal["fashion-mnist", "digits", "cifar10", "tiny-imagenet", "imagefolder", "imagenet", "imagenet-val"] = (
        Field(description="which data set")
    )
    image_size: int = Field(32, ge=28, le=512, description="side of the images that nets see, in px")
    stored_size: int | None = Field(None, le=640, description="side of the packed images in px; null: image_size")
    storage: Literal["auto", "array", "jpeg"] = Field(
        "auto", description="how image files are packed; auto: as arrays up to 16 GB, above as JPEGs"
    )
    val_images: int = Field(5000, ge=1, description="training images held out as val")
    folder: str | None = Field(None, description="the folder that has the original files; null: fetch them")

    @model_validator(mode="after")
    def stored_is_larger(self) -> Dataset:
        if self.stored_size is not None and self.stored_size <= self.image_size:
            raise ValueError(
                f"dataset.stored_size is {self.stored_size}: it is larger than image_size, {self.image_size}, or null"
            )
        return self


class Compute(Strict):
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(2, ge=1, description="CPU threads; part of the result, as sums round differently")
    deterministic: bool = Field(True, description="the same bytes at every run on the same kind of machine")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="of training; tests are always in fp32")
    devices: int = Field(1, ge=1, description="GPUs of a machine that train one net together; on CPUs processes")
    nodes: int = Field(1, ge=1, description="machines with `devices` each that train one net together")
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = Field(
        "auto", description="of several devices: ddp; the longer one for nets that leave parameters unused"
    )


class Ensemble(Strict):
    """A row of the leaderboard that averages the probabilities of several entries' runs."""

    members: list[Name] = Field(min_length=2, description="entries")
    stands_for: str | None = Field(None, description="the architecture with whose published ensemble it is compared")


class Evaluation(Strict):
    protocols: list[Protocol] = Field(min_length=1)
    batch_size: int = Field(ge=1, description="views that a net reads at once")
    ensembles: dict[Name, Ensemble] = {}


class Schedule(Strict):
    """How the learning rate falls over the training, `progress` running from 0 to 1."""

    kind: Literal["constant", "step", "staircase", "cosine", "poly", "plateau"]
    warmup: float = Field(0.0, ge=0, lt=1, description="share of the training in which the rate first rises from 0")
    at: list[Fraction] = Field(default=[], description="step: fractions of the training at which the rate falls")
    every: Fraction = Field(0.02, description="staircase: the rate falls after every such fraction of the training")
    patience: int = Field(3, ge=1, description="plateau: validations without a lower error until it falls")
    factor: float = Field(0.1, gt=0, lt=1, description="step, staircase, plateau: what it is multiplied by each time")
    power: float = Field(1.0, gt=0, description="poly: the rate is (1 - progress) ** power")


class Crop(Strict):
    """Where in an image a training view lies; sizes count in sides of the view.

    whole: the image as it is. pad: a random place in the image with a black margin. resize: a random place in the
    image, resized to a side drawn from `scale`. area: a random rectangle with a share of the image's area drawn from
    `area` and a ratio of width to height drawn from `aspect`, stretched to the view.
    """

    kind: Literal["whole", "pad", "resize", "area"] = "whole"
    pad: float = Field(0.125, gt=0, le=1)
    scale: Range[Annotated[float, Field(ge=1, le=4)]] = [256 / 224, 256 / 224]
    area: Range[Share] = [0.08, 1.0]
    aspect: Range[Annotated[float, Field(gt=0)]] = [3 / 4, 4 / 3]

    @model_validator(mode="after")
    def ranges_rise(self) -> Crop:
        for name in ("scale", "area", "aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"crop.{name} is [{low}, {high}]: the smaller number comes first")
        return self


class Recipe(Strict):
    """How weights come to be. Every value can be overridden by the entry of params.yaml that uses the recipe."""

    init: Literal["paper", "he", "glorot", "orthogonal"] = "paper"
    zero_residuals: bool = Field(False, description="start residual blocks as the identity")
    norm_bias: float = Field(0.0, ge=0, description="first bias of the batch normalisations outside residual blocks")
    optimizer: Literal["sgd", "nesterov", "rmsprop", "adamw"] = "sgd"
    lr: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="of the gradient; in adamw beta 1")
    weight_decay: float = Field(0.0, ge=0, description="added to the gradient; in adamw decoupled from it")
    clip: float | None = Field(None, gt=0, description="largest norm of the whole gradient; null: as it comes")
    average: Literal["none", "ema", "polyak"] = Field(
        "none", description="which weights are tested: the last, their moving average, or the second half's mean"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    auxiliary_weight: float | None = Field(None, ge=0, description="of auxiliary losses; null: as published")
    schedule: Schedule = Schedule(kind="constant")
    batch_size: int = Field(128, ge=2)
    epochs: float = Field(1.0, gt=0, description="passes over the training images, also in parts")
    dropout: float | None = Field(None, ge=0, lt=1, description="for every dropout layer; null: as published")
    crop: Crop = Crop()
    test_scale: float = Field(1.0, ge=1, le=4, description="side that a test image is resized to, in sides of its crop")
    flip: bool = Field(True, description="mirror half of the images")
    pca_colour: float = Field(0.0, ge=0, description="standard deviation of AlexNet's colour shift; 0: none")
    photometric: float = Field(
        0.0, ge=0, lt=1, description="largest change of brightness, contrast and saturation; 0: none"
    )


class Entry(Recipe):
    """A row of the leaderboard: a net with its recipe. Recipe values given here override the recipe's."""

    architecture: str
    family: Name = Field(description="the file under src/ilsvrc_replay/architectures that defines the net")
    recipe: Literal["era", "modern", "pretrained"] = "era"
    weights: str | None = Field(None, description="pretrained: torchvision/<net>:<weights>, timm/<net>.<tag> or a file")
    width: float = Field(1.0, gt=0, description="factor on every channel count")
    compact: Literal["auto", 1, 2, 4, 8, 16] = Field("auto", description="factor by which the total stride is lowered")
    activation: Literal["relu", "tanh"] = Field("relu", description="tanh: in place of every ReLU")
    protocols: list[Protocol] | None = Field(None, min_length=1, description="null: the study's")

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

    def protocols(self, entry: str) -> list[str]:
        """The test protocols of an entry: its own, or else the study's."""
        return self.entry(entry).protocols or self.evaluation.protocols


def tested_on(protocol: str) -> tuple[str, str]:
    """The part of a data set whose images it tests on, and the name of their labels in a run's predictions."""
    return OTHER_IMAGES.get(protocol.partition("@")[0], ("test", "labels"))


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
    if "protocols" in parents and error["type"] == "string_pattern_mismatch":
        return f"{where} is {error['input']!r}: a protocol is one of {', '.join(PROTOCOLS)}, or one of them@N images"
    return f"{where} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"


def valid_keys(parents: list[str]) -> list[str]:
    models: dict[str, type[Strict]] = {"dataset": Dataset, "compute": Compute, "evaluation": Evaluation}
    if not parents:
        return list(Study.model_fields)
    if parents[:2] == ["evaluation", "ensembles"]:
        return list(Ensemble.model_fields)
    if parents[-1] in ("schedule", "crop"):
        return list({"schedule": Schedule, "crop": Crop}[parents[-1]].model_fields)
    return list(models.get(parents[0], Entry).model_fields)
