"""What a cluster adds to a run: `python tests/overhead.py` says it.

It spreads short runs over two Ray nodes of this machine, each with a disk of its own; runs them again, with nothing to
do; and does the stages of some of these runs by themselves, two at once. What else the machine does counts in the
seconds that pass; those of its processors are these processes' own, at the nodes and at the driver.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import threading
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
BAR, BAR_AGAIN = 3, 10  # seconds: of processors at a run's node beyond its stages; of a study with nothing to do
EVERY = 2  # seconds after which the nodes' work is looked at


class Seconds:
    """Those that pass while a block lasts, and those that processors work for it, at the nodes and for the rest."""

    passed = nodes = rest = 0.0

    @contextmanager
    def measured(self, nodes: Nodes) -> Iterator[None]:
        seen: dict[int, float] = {}
        look(nodes, seen)
        before, began, rest, ended = sum(seen.values()), time.monotonic(), of_children(), threading.Event()

        def watch() -> None:
            while not ended.wait(EVERY):
                look(nodes, seen)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        look(nodes, seen)
        self.passed, self.rest = time.monotonic() - began, of_children() - rest
        self.nodes = sum(seen.values()) - before

    def of_a_run(self, runs: int) -> tuple[float, float, float]:
        """What each of so many took of its node, and of processors."""
        return self.passed * len(NODES) / runs, self.nodes / runs, self.rest / runs


def look(nodes: Nodes, seen: dict[int, float]) -> None:
    """Note how long each of Ray's workers has worked, with its ended children: Ray ends it with the driver."""
    for name in NODES:
        for process in nodes.processes(name):
            with suppress(psutil.NoSuchProcess):
                found = psutil.Process(process)
                if found.name().startswith("ray::"):
                    seen[process] = sum(found.cpu_times()[:4])


def of_children() -> float:
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime


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
    on_cluster, by_itself = whole.of_a_run(len(runs)), alone.of_a_run(len(runs[-ALONE:]))
    passed, at_node = on_cluster[0] - by_itself[0], on_cluster[1] - by_itself[2]
    print(f"{len(runs)} runs on {len(NODES)} nodes; the machine's load before: {busy:.1f}")
    print("| seconds | passed, at its node | processors', there | at the driver |\n|---|---:|---:|---:|")
    print("| a run, on the cluster | {:.1f} | {:.1f} | {:.1f} |".format(*on_cluster))
    print(f"| its stages alone | {by_itself[0]:.1f} | {by_itself[2]:.1f} | |")
    print(f"| the cluster adds | {passed:.1f} | {at_node:.1f} | {on_cluster[2]:.1f} |")
    alone_whole = by_itself[0] * len(runs) / len(NODES)
    more = (whole.passed - alone_whole) / len(runs)
    print(f"| nothing to do | {again.passed:.1f} | {again.nodes:.1f} | {again.rest:.1f} |")
    print(f"the study took {whole.passed:.0f} s; its stages alone would {alone_whole:.0f}: {more:.1f} s a run")
    sys.exit(at_node > BAR or again.passed > BAR_AGAIN)


if __name__ == "__main__":
    main()
