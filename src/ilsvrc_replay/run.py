"""One resolved run: every value that decides a run's weights and its tests, with nothing left to a default.

recipes/resolve.py makes it, once, from params.yaml and the published recipes; stage `resolve` files it. Training,
records, MLflow, claims, `replay compare` and pages read it and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_json

# What a run leaves in runs/<run>/, without times or paths, and the columns of its curve, a row for every validation.
WEIGHTS, CURVE, RECORD = "weights.safetensors", "curves.csv", "training.json"
CURVE_COLUMNS = ("step", "epoch", "lr", "train_loss", "val_loss", "val_top1_err", "val_top5_err")

NAME = "[a-z0-9][a-z0-9_.-]{0,79}"  # of studies, entries and ensembles: safe in paths and on command lines
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Number = TypeVar("Number")
Range = Annotated[list[Number], Field(min_length=2, max_length=2)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Compact = Literal["auto", 1, 2, 4, 8, 16]
Activation = Literal["relu", "tanh"]


class Strict(BaseModel):
    """Nothing unknown is accepted, nothing is converted from another type, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Schedule(Strict):
    """How the learning rate falls over the training, `progress` running from 0 to 1."""

    kind: Literal["constant", "step", "staircase", "cosine", "poly", "plateau"] = Field(description="the shape")
    warmup: float = Field(ge=0, lt=1, description="share of the training in which the rate first rises from 0")
    at: list[Fraction] = Field(description="step: fractions of the training at which the rate falls")
    every: Fraction = Field(description="staircase: the rate falls after every such fraction of the training")
    patience: int = Field(ge=1, description="plateau: validations without a lower error until it falls")
    factor: float = Field(gt=0, lt=1, description="step, staircase, plateau: what it is multiplied by each time")
    power: float = Field(gt=0, description="poly: the rate is (1 - progress) ** power")


class Crop(Strict):
    """Where in an image a training view lies; sizes count in sides of the view.

    whole: the image as it is. pad: a random place in the image with a black margin. resize: a random place in the
    image, resized to a side drawn from `scale`. area: a random rectangle with a share of the image's area drawn from
    `area` and a ratio of width to height drawn from `aspect`, stretched to the view.
    """

    kind: Literal["whole", "pad", "resize", "area"] = Field(description="how the place is chosen")
    pad: float = Field(gt=0, le=1, description="pad: the margin, in sides of the view")
    scale: Range[Annotated[float, Field(ge=1, le=4)]] = Field(
        description="resize: smallest and largest side, in sides of the view"
    )
    area: Range[Share] = Field(description="area: smallest and largest share of the image")
    aspect: Range[Annotated[float, Field(gt=0)]] = Field(description="area: smallest and largest width by height")

    @model_validator(mode="after")
    def ranges_rise(self) -> Crop:
        for name in ("scale", "area", "aspect"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"crop.{name} is [{low}, {high}]: the smaller number comes first")
        return self


class Recipe(Strict):
    """How weights are trained. The values of the published recipes, and what they leave out, are in recipes.yaml."""

    init: Literal["paper", "he", "glorot", "orthogonal"] = Field(
        description="how the first weights are drawn; paper: as the net's paper says"
    )
    zero_residuals: bool = Field(description="start residual blocks as the identity")
    norm_bias: float = Field(ge=0, description="first bias of the batch normalisations outside residual blocks")
    optimizer: Literal["sgd", "nesterov", "rmsprop", "adamw"] = Field(
        description="how a step follows from the gradient"
    )
    lr: float = Field(gt=0, description="learning rate")
    momentum: float = Field(ge=0, lt=1, description="of the gradient; in adamw beta 1")
    weight_decay: float = Field(ge=0, description="added to the gradient; in adamw decoupled from it")
    clip: Annotated[float, Field(gt=0)] | None = Field(description="largest norm of the whole gradient; null: none")
    average: Literal["none", "ema", "polyak"] = Field(
        description="which weights are tested: the last, their moving average, or the second half's mean"
    )
    label_smoothing: float = Field(ge=0, lt=1, description="share of the target spread over all classes")
    auxiliary_weight: Annotated[float, Field(ge=0)] | None = Field(
        description="of auxiliary losses; null: as published"
    )
    schedule: Schedule = Field(description="how the learning rate falls")
    batch_size: int = Field(ge=2, description="images of a step, in all processes together")
    epochs: float = Field(gt=0, le=100_000, description="passes over the training images, also in parts")
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        description="for every dropout layer; null: as published"
    )
    crop: Crop = Field(description="where in an image a training view lies")
    test_scale: float = Field(ge=1, le=4, description="side that a test image is resized to, in sides of its crop")
    flip: bool = Field(description="mirror half of the images")
    pca_colour: float = Field(ge=0, description="standard deviation of AlexNet's colour shift; 0: none")
    photometric: float = Field(ge=0, lt=1, description="largest change of brightness, contrast, saturation; 0: none")


class Compute(Strict):
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="what runs train on; auto: a GPU if there is one"
    )
    threads: int = Field(2, ge=1, description="CPU threads; part of the result, as sums round differently")
    deterministic: bool = Field(True, description="the same bytes at every run on the same kind of machine")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="of training; tests are always in fp32")
    devices: int = Field(1, ge=1, description="GPUs of a machine that train one net together; on CPUs processes")
    nodes: int = Field(1, ge=1, description="machines with `devices` each that train one net together")
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"] = Field(
        "auto",
        description="of several devices: ddp; the longer one for nets that leave parameters unused; fsdp, for the"
        " engine trainer, shards weights and the optimiser's state",
    )
    engine: Literal["fabric", "trainer"] = Field(
        "fabric",
        description="what trains: the project's own loop on Lightning Fabric, or Lightning's Trainer. Killed, the loop"
        " goes on where it was and ends in the same bytes; the Trainer goes on from the last whole epoch",
    )
    trainer: dict[str, Any] = Field(
        default_factory=dict, description="arguments of Lightning's Trainer by their names; for the engine trainer"
    )

    @model_validator(mode="after")
    def trainer_is_chosen(self) -> Compute:
        for name, given in (("trainer", self.trainer), ("strategy: fsdp", self.strategy == "fsdp")):
            if given and self.engine != "trainer":
                raise ValueError(f"compute.{name} is for Lightning's Trainer: set compute.engine to trainer")
        return self


class Net(Strict):
    """The net of an entry, as it is built."""

    architecture: str
    width: float = Field(gt=0, description="factor on every channel count")
    compact: Compact = Field(description="factor by which the total stride is lowered")
    activation: Activation = Field(description="tanh: in place of every ReLU")


class Weights(Strict):
    """Published weights that take the place of training: a library's by name, or a file by its checksum."""

    name: str
    sha256: str | None = Field(None, description="of a file of the user's; None: a library's, whose name says which")

    @property
    def of_library(self) -> bool:
        """Whether torchvision or timm publishes them."""
        return self.name.startswith(("torchvision/", "timm/"))


class Testing(Strict):
    """How a run is tested."""

    protocols: list[str]
    batch_size: int = Field(ge=1)


class Search(Strict):
    """How stage tune chose the recipe's value of `key`: of `values`, by the error on validation images after training
    with each for a `share` of the epochs, with `seed`."""

    key: str
    values: list[int | float]
    share: Share
    seed: Seed


class Run(Strict):
    """An entry, resolved; with a seed it is a run.

    `recipe` is None for published weights, `testing` in what training reads. Until stage tune has run, `recipe` has the
    first of the values to `search`. `callbacks` have their arguments by their dotted paths. `versions` are those of the
    libraries that decide bytes, `code` the checksums of the entry's own sources by their paths in the package,
    `sources` those of the user's files by their paths in the checkout.
    """

    entry: str
    net: Net
    recipe_name: str
    recipe: Recipe | None = None
    search: Search | None = None
    weights: Weights | None = None
    callbacks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    compute: Compute
    testing: Testing | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    code: dict[str, str] = Field(default_factory=dict)
    sources: dict[str, str] = Field(default_factory=dict)

    @property
    def decisive(self) -> dict[str, Any]:
        """What distinguishes one trained net from another but the name: flat, keys joined by dots. A value that was
        searched counts by its search, since each of two nets that are treated alike has its own best."""
        found = flatten(self.model_dump(include={"net", "recipe", "weights", "callbacks", "compute"}))
        return found | ({f"recipe.{self.search.key}": self.search.model_dump()} if self.search else {})

    def with_recipe(self, **values: Any) -> Run:
        """The run with other values in its recipe."""
        return self.model_copy(update={"recipe": self.recipe.model_copy(update=values)})


def load_run(path: Path) -> Run:
    """A run that stage `resolve` filed. Raises StudyError if it is missing or of another version of the project."""
    try:
        return Run.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StudyError(f"{path}: {where} {first['msg'].lower()}: run `dvc repro resolve`") from None


def run_name(entry: str, seed: int) -> str:
    return f"{entry}-{seed}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
