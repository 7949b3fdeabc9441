"""Claims that the errors of trained nets decide: run_claims.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, model_validator

from ilsvrc_replay.papers.yaml_files import FrozenModel, read_yaml
from ilsvrc_replay.run import Run

PATH = Path(__file__).with_name("run_claims.yaml")
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class RunClaim(FrozenModel):
    """A claim about two entries of a study that their errors decide: one of three kinds, see run_claims.yaml."""

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
    def is_of_one_kind(self) -> RunClaim:
        kinds = [self.lower and self.higher, self.alike and self.margin, self.order_of]
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError("a claim needs lower and higher, or alike and margin, or order_of")
        if len(self.protocols) != (2 if self.order_of else 1):
            raise ValueError("a claim needs one protocol, or two with order_of")
        return self

    @property
    def entries(self) -> tuple[str, str]:
        """The two entries, in the order in which the claim compares them."""
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
def run_claims() -> dict[str, RunClaim]:
    """Every claim by its id, in order of run_claims.yaml."""
    return TypeAdapter(dict[str, RunClaim]).validate_python(read_yaml(PATH))
