"""What a cluster adds to a run: `python tests/overhead.py` says it.

It spreads short runs over two Ray nodes of this machine, each with a disk of its own; runs them again, with nothing to
do; and does the stages of some of these runs by themselves, two at once. What else the machine does counts in the
seconds that pass; those of its processors are these processes' own, of driver, nodes and stages.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import psutil
from clone import Clone
from ray_nodes import Nodes

from ilsvrc_replay.runtime.tracking import LATER, NOT_HERE

ENTRIES, NODES = ("alexnet", "zfnet"), ("a", "b")
ALONE = 8  # runs of which the stages are done alone
BAR, BAR_AGAIN = 3, 10  # seconds: a run beyond its stages, a study with nothing to do


class Seconds:
    """Those that pass while a block lasts, and those that processors work for it."""

    passed = worked = 0.0

    @contextmanager
    def measured(self, nodes: Nodes) -> Iterator[None]:
        began, before = time.monotonic(), work(nodes)
        yield
        self.passed, self.worked = time.monotonic() - began, work(nodes) - before

    def of_a_run(self, runs: int) -> tuple[float, float]:
        """What each of so many took of its node, and of processors."""
        return self.passed * len(NODES) / runs, self.worked / runs


def work(nodes: Nodes) -> float:
    """Seconds that processors have worked for the nodes and for what this process has started."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = own.ru_utime + own.ru_stime
    for name in NODES:
        for process in nodes.processes(name):
            with suppress(psutil.NoSuchProcess):
                total += sum(psutil.Process(process).cpu_times()[:4])  # its own and its ended children's
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description="What a cluster adds to a run.")
    parser.add_argument("--runs", type=int, default=40)
    seeds = range(parser.parse_args().runs // len(ENTRIES))
    runs = list(product(ENTRIES, seeds))
    whole, again, alone = Seconds(), Seconds(), Seconds()
    with tempfile.TemporaryDirectory() as folder:
        driver = Clone(Path(folder) / "driver/clone")
        driver.keep(*ENTRIES)
        driver.set("seeds", list(seeds))
        driver.run("dvc", "remote", "add", "--default", "store", f"{folder}/store")
        driver.run("dvc", "repro", "tune", "claims", "viewer")  # what one machine does, however many run

        def stages(run: tuple[str, int]) -> None:
            for stage in ("train", "evaluate"):
                words = (f"pipelines/{stage}.py", "--entry", run[0], "--seed", str(run[1]))
                driver.run(sys.executable, *words, **{LATER: NOT_HERE, "OMP_NUM_THREADS": "1"})

        nodes = Nodes(Path(folder) / "nodes")
        try:
            for name in NODES:
                nodes.start(name, cpus=1)
            busy = os.getloadavg()[0]
            command = ("replay", "run", "--on", "ray", "--address", nodes.address)
            with whole.measured(nodes):
                driver.run(*command)
            with again.measured(nodes):
                driver.run(*command)
        finally:
            nodes.stop()
        with alone.measured(nodes), ThreadPoolExecutor(len(NODES)) as pool:
            list(pool.map(stages, runs[-ALONE:]))
    spread, by_itself = whole.of_a_run(len(runs)), alone.of_a_run(len(runs[-ALONE:]))
    passed, worked = (each - own for each, own in zip(spread, by_itself, strict=True))
    print(f"{len(runs)} runs on {len(NODES)} nodes; the machine's load before: {busy:.1f}")
    print("| seconds | of its node | of processors |\n|---|---:|---:|")
    print(f"| a run, on the cluster | {spread[0]:.1f} | {spread[1]:.1f} |")
    print(f"| its stages alone | {by_itself[0]:.1f} | {by_itself[1]:.1f} |")
    print(f"| the cluster adds | {passed:.1f} | {worked:.1f} |")
    print(f"| nothing to do | {again.passed:.1f} | {again.worked:.1f} |")
    sys.exit(passed > BAR or again.passed > BAR_AGAIN)


if __name__ == "__main__":
    main()
