"""On paper: how long a study takes on a cluster whose nodes fail, against the ideal of GPUs that are never idle.

`python -m ilsvrc_replay.tools.plan.spread` prints the table of docs/how-to/cluster.md. A run's length is reckoned from
its net's multiply-adds at the paper's size. Runs begin in order as GPUs get free, the heaviest first. One whose node
fails is the next to begin: anew, or where all nodes see one checkout from the state that it kept there. The node comes
back after a while.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from statistics import mean

IMAGES, EPOCHS = 1_281_167, 90  # ILSVRC-2012's training images (Russakovsky et al. 2015, table 2); of ResNet's schedule
FLOPS = 30e12  # of a GPU while it trains, an assumption: about 1,200 images/s of ResNet-50
OVERHEAD_S = 3.0  # of a run on the cluster, the budget of the design
GPUS_A_NODE = 8
DRAWS = 100
KEPT = 300 / 3600  # hours from one kept state to the next, as in runtime/checkpoint.py


@dataclass
class Node:
    free: int
    running: dict[int, float] = field(default_factory=dict)  # the lengths of runs, by their attempts


@dataclass(frozen=True)
class Spread:
    """How it went: when the last run was done, in hours, how often a node failed, and the GPU hours that it cost."""

    hours: float
    failures: int
    lost: float


def spread(
    runs: Sequence[float], nodes: int, gpus: int, between_failures: float, repair: float, goes_on: bool, seed: int = 0
) -> Spread:
    """Do runs of so many hours, in order, on `nodes` of `gpus` each, each of which fails once in `between_failures`
    hours, in the mean, at times that do not depend on one another, and is back `repair` hours later. A run that was
    broken off begins anew, or `goes_on` from its last state."""
    rng, number = random.Random(seed), count()  # noqa: S311 (a simulation)
    waiting, there = deque(runs), [Node(gpus) for _ in range(nodes)]
    began: dict[int, float] = {}
    events: list[tuple[float, int, str, int]] = []  # time, attempt, what happens, node
    for name in range(nodes):
        heapq.heappush(events, (rng.expovariate(1 / between_failures), next(number), "fails", name))
    left, now, failures, lost = len(waiting), 0.0, 0, 0.0
    while left:
        for name, node in enumerate(there):
            while node.free and waiting:
                attempt = next(number)
                node.free -= 1
                node.running[attempt], began[attempt] = waiting.popleft(), now
                heapq.heappush(events, (now + node.running[attempt], attempt, "done", name))
            if not waiting:
                break
        now, attempt, kind, name = heapq.heappop(events)
        node = there[name]
        if kind == "done" and attempt in node.running:  # else its node has failed meanwhile
            del node.running[attempt]
            node.free += 1
            left -= 1
        elif kind == "fails":
            failures += 1
            for each, length in node.running.items():
                gone = now - began[each]
                kept = gone - gone % KEPT if goes_on else 0.0
                lost += gone - kept
                waiting.appendleft(length - kept)
            there[name] = Node(0)
            heapq.heappush(events, (now + repair, next(number), "is back", name))
        elif kind == "is back":
            node.free = gpus
            heapq.heappush(events, (now + rng.expovariate(1 / between_failures), next(number), "fails", name))
    return Spread(now, failures, lost)


def hours(macs: float, gpus: int = 1) -> float:
    """Of a training: forward and backward are three forward passes of two operations a multiply-add. That so many GPUs
    of a node are as many times as fast is an assumption, too."""
    return (6 * macs * IMAGES * EPOCHS / FLOPS / gpus + OVERHEAD_S) / 3600


def table(macs: Sequence[float]) -> Iterator[str]:
    """Rows of Markdown for a study of these nets; hours and failures are means over DRAWS of when nodes fail."""
    yield "| runs | GPUs | for a run | ideal, hours | no node fails | yearly, anew | monthly, anew | monthly, goes on |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for seeds, gpus, abreast in ((5, 8, 1), (5, 64, 1), (5, 512, 1), (50, 512, 1), (50, 512, GPUS_A_NODE)):
        runs = sorted((hours(each, abreast) for each in macs for _ in range(seeds)), reverse=True)
        nodes, places = gpus // GPUS_A_NODE, GPUS_A_NODE // abreast
        ideal = max(sum(runs) / (nodes * places), runs[0])
        cells = [f"{len(runs):,}", str(gpus), str(abreast), f"{ideal:,.0f}"]
        for days, goes_on in ((1e9, False), (365, False), (30, False), (30, True)):
            found = [spread(runs, nodes, places, days * 24, 4, goes_on, seed) for seed in range(DRAWS)]
            took, failures = mean(each.hours for each in found), mean(each.failures for each in found)
            failed = f", {failures:.1f} failures" if failures else ""
            cells.append(f"{took:,.0f} ({100 * ideal / took:.0f} %{failed})")
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    from ilsvrc_replay.tools.models_table import rows

    print("\n".join(table([1e9 * row["gmacs"] for row in rows(())])))


if __name__ == "__main__":
    main()
