"""What a measure finds about a claim, and the verdict that it amounts to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TRUE, CAVEAT, WRONG, UNDECIDED = "true", "true with a caveat", "wrong", "not decided"


@dataclass(frozen=True)
class Measured:
    """`figure` is the evidence in a line; `holds` None if it decides nothing; `exactly` False if only in substance."""

    figure: str
    holds: bool | None
    exactly: bool = True

    @property
    def verdict(self) -> str:
        if self.holds is None:
            return UNDECIDED
        if not self.holds:
            return WRONG
        return TRUE if self.exactly else CAVEAT


def times_as_many(many: int, few: int, claimed: float) -> Measured:
    """A claim of "`claimed` times as many": exact within 5 %; in substance it holds from half of that on."""
    found = many / few
    figure = f"{found:.1f} times: {many:,} against {few:,}"
    return Measured(figure, found >= claimed / 2, abs(found / claimed - 1) <= 0.05)


def listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"
