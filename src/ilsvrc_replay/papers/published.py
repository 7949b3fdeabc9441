"""What the papers publish about their nets: published.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, model_validator

from ilsvrc_replay.papers.yaml_files import FrozenModel, Percent, read_yaml

PATH = Path(__file__).with_name("published.yaml")


class Stated(FrozenModel):
    """What the paper itself says of its net's size: weight layers, parameters, 10^9 multiply-adds."""

    depth: int | None = None
    params: str | None = None
    gmacs: float | None = None
    table: str


class Headline(FrozenModel):
    """The famous number: an ensemble's, on the hidden test set. `of` says whose."""

    top5_err: Percent
    of: str
    table: str


class Single(FrozenModel):
    """The paper's own errors for one net, on the validation set, by `protocol`."""

    top1_err: Percent | None = None
    top5_err: Percent | None = None
    protocol: str
    dataset: str = "ImageNet"
    table: str

    @model_validator(mode="after")
    def says_something(self) -> Single:
        if self.top1_err is None and self.top5_err is None:
            raise ValueError("single needs top1_err or top5_err")
        return self


class Published(FrozenModel):
    """What was published about one net; `differs` says where the net built here departs from its paper; `others` are
    further errors of one net, by other protocols or papers. Prose calls the net by its `name`."""

    name: str
    year: int
    title: str
    stated: Stated | None = None
    differs: str | None = None
    headline: Headline | None = None
    single: Single | None = None
    others: tuple[Single, ...] = ()


def find(architecture: str, activation: str = "relu") -> Published | None:
    """What was published of a net, if anything; all these nets have ReLUs, another activation makes another net."""
    return published().get(paper_name(architecture)) if activation == "relu" else None


def paper_name(architecture: str) -> str:
    """The name that a net of a library has here: `timm/resnet50.tv_in1k` is `resnet50`."""
    return architecture.rpartition("/")[2].partition(".")[0]


def in_prose(entry: str, architecture: str | None) -> str:
    """What prose calls an entry: `resnet50` is ResNet-50, `resnet50-modern` ResNet-50 (modern); one that is not called
    by its net keeps its name."""
    record, net = find(architecture or ""), paper_name(architecture or "")
    if record and entry == net:
        return record.name
    if record and entry.startswith(f"{net}-"):
        return f"{record.name} ({entry.removeprefix(f'{net}-').replace('-', ' ')})"
    return entry


@cache
def published() -> dict[str, Published]:
    """Every published record, by the name of the architecture."""
    content: dict[str, Any] = read_yaml(PATH)
    papers = content["papers"]
    nets = {name: papers[values.pop("paper")] | values for name, values in content["nets"].items()}
    return TypeAdapter(dict[str, Published]).validate_python(nets)
