"""The share of a batch, or of a data set, that one of several processes takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """Share number `rank` of `count`. Shares follow one another in order, and their sizes differ by one at the most."""

    rank: int = 0
    count: int = 1

    def of(self, number: int) -> slice:
        """Which of `number` things belong to it."""
        return slice(self.rank * number // self.count, (self.rank + 1) * number // self.count)

    def share(self, number: int) -> float:
        """The fraction of `number` things that belong to it."""
        whose = self.of(number)
        return (whose.stop - whose.start) / number


WHOLE = Part()
