"""Where the papers place their test crops: boxes in a resized image of any shape, mirror images not counted.

All sizes are in px of the resized image; `size` is the side of the net's input.
"""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A square of the resized image; if larger than the net's input, it is shrunk to that."""

    top: int
    left: int
    side: int


def corners_and_centre(height: int, width: int, size: int) -> list[Box]:
    """The four corners, then the centre."""
    bottom, right = height - size, width - size
    corners = [Box(top, left, size) for top in (0, bottom) for left in (0, right)]
    return [*corners, Box(bottom // 2, right // 2, size)]


def ten_crop(height: int, width: int, size: int) -> list[Box]:
    """ResNet's ten crops, and everybody's since: five boxes at the corners and the centre of the whole rectangle."""
    return corners_and_centre(height, width, size)


def ten_crop_of_square(height: int, width: int, size: int) -> list[Box]:
    """AlexNet's ten crops (section 4.1): five boxes at the corners and the centre of the central square."""
    (middle,) = squares(height, width, count=1)
    return inside(middle, corners_and_centre(middle.side, middle.side, size))


def crops_144(height: int, width: int, size: int) -> list[Box]:
    """GoogLeNet's crops at one of four scales (section 7): of three squares the corners, the centre and the whole."""
    found = []
    for square in squares(height, width, count=3):
        found += inside(square, corners_and_centre(square.side, square.side, size))
        found.append(square)
    return found


def crops_150(height: int, width: int, size: int) -> list[Box]:
    """VGG's crops at one of three scales (section 3.2): a regular grid of five by five."""
    rows, columns = ([round(step * (side - size) / 4) for step in range(5)] for side in (height, width))
    return [Box(top, left, size) for top in rows for left in columns]


def squares(height: int, width: int, count: int) -> list[Box]:
    """`count` squares, as large as the image allows, evenly spaced along its longer side; of one, the central."""
    side = min(height, width)
    down, along = height - side, width - side
    places = [step / (count - 1) for step in range(count)] if count > 1 else [0.5]
    return [Box(int(place * down), int(place * along), side) for place in places]


def inside(square: Box, boxes: list[Box]) -> list[Box]:
    """`boxes` of a square in the coordinates of the image that contains it."""
    return [Box(square.top + box.top, square.left + box.left, box.side) for box in boxes]
