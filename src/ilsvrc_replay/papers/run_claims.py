"""Claims that small experiments with trained nets look into: run_claims.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, model_validator

from ilsvrc_replay.papers.yaml_files import FrozenModel, Percent, read_yaml
from ilsvrc_replay.run import Run

PATH = Path(__file__).with_name("run_claims.yaml")
Pair = Annotated[list[str], Field(min_length=2, max_length=2)]


class RunClaim(FrozenModel):
    """A claim about two entries of a study, what was published on it, and what of their runs is compared, see
    run_claims.yaml."""

    claim: str
    published: str
    source: str
    published_change: float | None = None
    caveat: str = ""
    lower: str | None = None
    higher: str | None = None
    alike: Pair | None = None
    margin: float | None = None
    protocol: str | None = None
    steps_to: Percent | None = None
    differ: dict[str, list[Any]]
    both: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def is_of_one_kind(self) -> RunClaim:
        if bool(self.lower and self.higher) == bool(self.alike and self.margin):
            raise ValueError("a claim needs lower and higher, or alike and margin")
        if (self.protocol is None) == (self.steps_to is None) or (self.alike and self.steps_to):
            raise ValueError("a claim needs a protocol, or steps_to with lower and higher")
        return self

    @property
    def entries(self) -> tuple[str, str]:
        """The two entries, in the order in which the claim compares them."""
        first, second = self.alike or (self.lower, self.higher)
        return first, second

    def fits(self, first: Run, second: Run) -> bool:
        """Whether two resolved entries differ in what the claim is about and in nothing else, whatever their names. A
        value that stage tune chose for each of them, by the same search, is no difference."""
        one, other = first.decisive, second.decisive
        found = {key: [one.get(key), other.get(key)] for key in one.keys() | other.keys()}
        differences = {key: values for key, values in found.items() if values[0] != values[1]}
        return differences == self.differ and all(found.get(key) == [value] * 2 for key, value in self.both.items())


@cache
def run_claims() -> dict[str, RunClaim]:
    """Every claim by its id, in order of run_claims.yaml."""
    return TypeAdapter(dict[str, RunClaim]).validate_python(read_yaml(PATH))
