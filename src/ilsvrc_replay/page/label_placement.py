"""Places for the names of points, such that none covers a point, a line or another name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

HEIGHT = 400  # px, of the charts that names are laid out for
SIZES = {"wide": (640.0, float(HEIGHT)), "narrow": (280.0, float(HEIGHT))}

LETTER, LINE, GAP = 5.8, 12.0, 7.0  # px: a letter's width and a line's height at 11 px, and a point's distance
# right, left, above, below, the corners, and farther above and below
PLACES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1.7), (0, 1.7))
ALIGN = {1: "left", 0: "center", -1: "right"}


class Rectangle(NamedTuple):
    """In px from the chart's upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Rectangle) -> bool:
        """Whether the two overlap."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


class Label(NamedTuple):
    """Where a name stands, in px from its point; `align` is "left", "center" or "right"."""

    dx: float
    dy: float
    align: str


def around(x: float, y: float, radius: float = 4.0) -> Rectangle:
    """A square around a point."""
    return Rectangle(x - radius, y - radius, x + radius, y + radius)


def along(start: tuple[float, float], end: tuple[float, float]) -> list[Rectangle]:
    """Rectangles that cover a line between two points."""
    count = 1 + int(max(abs(end[0] - start[0]), abs(end[1] - start[1])) / 4)
    shares = (index / count for index in range(count + 1))
    return [around(*(a + (b - a) * share for a, b in zip(start, end, strict=True)), 2.0) for share in shares]


def place(
    points: Sequence[tuple[float, float, str]], taken: Sequence[Rectangle], width: float, height: float
) -> list[Label | None]:
    """A label for each of `points` (x, y, name), the first ones first, in a chart of width x height px.

    None where no place is free, so that no two names overlap. `taken`: rectangles to keep clear of.
    """
    taken, labels = list(taken), []
    for x, y, name in points:
        free = [
            (label, box)
            for across, down in PLACES
            for label, box in [candidate(x, y, name, across, down)]
            if box.left >= 0
            and box.right <= width
            and box.top >= 0
            and box.bottom <= height
            and not any(map(box.meets, taken))
        ]
        labels.append(free[0][0] if free else None)
        taken += [free[0][1]] if free else []
    return labels


def candidate(x: float, y: float, name: str, across: int, down: float) -> tuple[Label, Rectangle]:
    """The name at one of PLACES, and the rectangle that it covers."""
    dx, dy = across * GAP, down * (GAP + LINE / 2 - (2 if across else 0))
    wide = LETTER * len(name)
    left = x + dx - wide * (1 - across) / 2
    return Label(dx, dy, ALIGN[across]), Rectangle(left, y + dy - LINE / 2, left + wide, y + dy + LINE / 2)


def attach(
    points: Sequence[dict[str, Any]], size: str, spots: Sequence[tuple[float, float]], taken: Sequence[Rectangle]
) -> None:
    """Give each point the place of its `name` in a chart of `size`: fields <size>_dx, <size>_dy and <size>_align.

    `spots` are the points' (x, y) in px. An empty align stands for a name that is left out.
    """
    named = [(*spot, point["name"]) for spot, point in zip(spots, points, strict=True)]
    for point, label in zip(points, place(named, taken, *SIZES[size]), strict=True):
        found = label or Label(0.0, 0.0, "")
        point |= {f"{size}_dx": found.dx, f"{size}_dy": round(found.dy, 2), f"{size}_align": found.align}
