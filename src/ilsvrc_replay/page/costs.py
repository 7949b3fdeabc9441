"""The points of error against cost."""

from __future__ import annotations

from math import log
from typing import NamedTuple

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page.label_placement import SIZES, around, attach

Ends = tuple[float, float]


class Costs(NamedTuple):
    points: list[Row]  # cost, err, low, high, name, kind, protocol, says; where the name stands
    across: Ends  # of the logarithmic axis of costs
    up: Ends  # of the axis of errors

    @property
    def ticks(self) -> list[int]:
        """The costs that the axis names: 1, 2 and 5 of every power of ten."""
        low, high = self.across
        return [step * 10**power for power in range(13) for step in (1, 2, 5) if low <= step * 10**power <= high]


def draw(rows: list[Row], column: str, unit: float) -> Costs:
    """A point for every row, at `column` times `unit`."""
    points = [
        {
            "cost": round(row[column] * unit),
            "err": row["top1_err"],
            "low": row["top1_err_low"],
            "high": row["top1_err_high"],
            **{"name": row["entry"], "kind": row["kind"], "protocol": row["protocol"]},
            "says": says(row),
        }
        for row in rows
    ]
    costs, lows, highs = ([point[key] for point in points] for key in ("cost", "low", "high"))
    margin = 0.04 * (max(highs) - min(lows)) or 1.0
    found = Costs(points, (min(costs) / 1.5, max(costs) * 1.5), (max(0.0, min(lows) - margin), max(highs) + margin))
    for size in SIZES:
        name_points(found, size)
    return found


def says(row: Row) -> str:
    kind = ", ensemble" if row["kind"] == "ensemble" else ""
    return (
        f"{row['entry']}{kind}: {row['top1_err']:.2f} % ({row['top1_err_low']:.2f} to {row['top1_err_high']:.2f})"
        f" top-1 error, {row['param_count']:,} parameters, {1000 * row['gmacs']:.4g} M multiply-adds,"
        f" by {row['protocol']}"
    )


def name_points(costs: Costs, size: str) -> None:
    """Lay out the names in a chart of `size`, protocol by protocol."""
    (width, height), (left, right), (low, high) = SIZES[size], costs.across, costs.up
    for protocol in dict.fromkeys(point["protocol"] for point in costs.points):
        shown = [point for point in costs.points if point["protocol"] == protocol]
        spots = [
            (width * log(point["cost"] / left) / log(right / left), height * (high - point["err"]) / (high - low))
            for point in shown
        ]
        attach(shown, size, spots, [around(x, y) for x, y in spots])
