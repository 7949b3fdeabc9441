"""The evidence on a claim, and the verdict that follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TRUE, CAVEAT, WRONG, UNDECIDED = "true", "true with a caveat", "wrong", "not decided"


@dataclass(frozen=True)
class Evidence:
    """`figure`: what was measured, in a line. `holds`: whether the claim is right, None if that is left open.
    `exactly`: False if it is right only in substance."""

    figure: str
    holds: bool | None
    exactly: bool = True

    @property
    def verdict(self) -> str:
        """One of TRUE, CAVEAT, WRONG and UNDECIDED."""
        if self.holds is None:
            return UNDECIDED
        if not self.holds:
            return WRONG
        return TRUE if self.exactly else CAVEAT


def times_as_many(many: int, few: int, claimed: float) -> Evidence:
    """A claim of "`claimed` times as many": right exactly within 5 %, in substance from half of it upwards."""
    found = many / few
    figure = f"{found:.1f} times: {many:,} against {few:,}"
    return Evidence(figure, found >= claimed / 2, abs(found / claimed - 1) <= 0.05)


def listed(values: Iterable[object]) -> str:
    """ "1, 2, 3", or "none"."""
    return ", ".join(map(str, values)) or "none"
