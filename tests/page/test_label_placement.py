from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ilsvrc_replay.page.label_placement import Rectangle, around, attach, place

WIDTH, HEIGHT = 300.0, 200.0
NORMAL = {"allow_subnormal": False}  # the smallest numbers are zero on a CPU that a training was set up on
POINTS = st.lists(
    st.tuples(
        st.floats(0, WIDTH, **NORMAL), st.floats(0, HEIGHT, **NORMAL), st.text("abcdefg", min_size=1, max_size=14)
    )
)


def box(x: float, y: float, name: str, dx: float, dy: float, align: str) -> Rectangle:
    wide = 5.8 * len(name)
    left = x + dx - {"left": 0, "center": wide / 2, "right": wide}[align]
    return Rectangle(left, y + dy - 6, left + wide, y + dy + 6)


@given(POINTS)
def test_no_name_stands_on_a_point_a_name_or_outside(points: list[tuple[float, float, str]]) -> None:
    taken = [around(x, y) for x, y, _ in points]
    labels = place(points, taken, WIDTH, HEIGHT)
    boxes = [box(*point, *label) for point, label in zip(points, labels, strict=True) if label]
    for number, one in enumerate(boxes):
        assert one.left > -1e-6 and one.right < WIDTH + 1e-6 and one.top > -1e-6 and one.bottom < HEIGHT + 1e-6
        shrunk = Rectangle(one.left + 1e-6, one.top + 1e-6, one.right - 1e-6, one.bottom - 1e-6)
        assert not any(map(shrunk.meets, taken + boxes[:number]))


def test_a_lonely_point_has_its_name_on_the_right() -> None:
    point = {"name": "alexnet"}
    attach([point], "wide", [(100.0, 100.0)], [around(100.0, 100.0)])
    assert point == {"name": "alexnet", "wide_dx": 7.0, "wide_dy": 0.0, "wide_align": "left"}
