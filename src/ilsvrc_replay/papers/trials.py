"""The claims of trials.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from ruamel.yaml import YAML

from ilsvrc_replay.run import Run

PATH = Path(__file__).with_name("trials.yaml")
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class Trial(BaseModel):
    """A claim about two entries of a study that their errors decide: one of three kinds, see trials.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    source: str
    protocols: list[str]
    lower: str | None = None
    higher: str | None = None
    alike: Pair | None = None
    margin: float | None = None
    order_of: Pair | None = None
    differ: dict[str, list[Any]]
    both: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def is_of_one_kind(self) -> Trial:
        kinds = [self.lower and self.higher, self.alike and self.margin, self.order_of]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("a claim needs lower and higher, or alike and margin, or order_of")
        if len(self.protocols) != (2 if self.order_of else 1):
            raise ValueError("a claim needs one protocol, or two with order_of")
        return self

    @property
    def entries(self) -> tuple[str, str]:
        first, second = self.alike or self.order_of or (self.lower, self.higher)
        return first, second

    def fits(self, first: Run, second: Run) -> bool:
        """Whether two resolved entries differ in what the claim is about and in nothing else, whatever their names.

        The protocol's claims (`order_of`) are about nets that need not be trained alike.
        """
        one, other = first.decisive, second.decisive
        found = {key: [one.get(key), other.get(key)] for key in one.keys() | other.keys()}
        differences = {key: values for key, values in found.items() if values[0] != values[1]}
        if self.order_of:
            return all(found.get(key) == values for key, values in self.differ.items())
        return differences == self.differ and all(found.get(key) == [value] * 2 for key, value in self.both.items())


@cache
def trials() -> dict[str, Trial]:
    """Every claim by its id, in order of trials.yaml."""
    content = YAML(typ="safe", pure=True).load(PATH.read_text())
    return TypeAdapter(dict[str, Trial]).validate_python(content)
