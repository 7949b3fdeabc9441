"""Several processes that train one net: where each stands, how they start, and that none outlives the others.

The first process leads: it alone claims the run, keeps its state, reports and writes. torchrun or SLURM's srun start
all of them; without these the leader starts the others on its machine, by its own command line.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning_fabric.strategies import DDPStrategy
from torch import distributed

from ilsvrc_replay.device import choose_device
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.input.world import ALONE, FOLLOWS, World, from_environment
from ilsvrc_replay.run import Compute

PATIENCE = 5  # seconds that a leader has to notice by itself that another process is gone; over NCCL it never would
AGAIN = "run it again to go on from what was kept"


def join(compute: Compute) -> World:
    """Which of a training's processes this is; its GPU as torch's current one.

    Raises StudyError if compute.devices is more than there is, or not what was started.
    """
    count, here = compute.devices * compute.nodes, from_environment()
    if here.size != count and (count > 1 or here.launcher == "torchrun"):
        asked = f"compute.devices times compute.nodes is {count}"
        if here.launcher:
            raise StudyError(f"{here.launcher} started {here.size} processes, but {asked}: make them equal")
        if compute.nodes > 1:
            raise StudyError(f"compute.nodes is {compute.nodes}: start the stage on every machine by torchrun or srun")
    if count == 1:
        return ALONE
    if choose_device(compute).type == "cuda":
        there, what = torch.cuda.device_count(), "GPUs"
    else:
        there, what = len(os.sched_getaffinity(0)), "CPU cores"
    if compute.devices > there:
        raise StudyError(f"compute.devices is {compute.devices}: there are {there} {what} here")
    if what == "GPUs":
        torch.cuda.set_device(here.local_rank)
    os.environ.setdefault("OMP_NUM_THREADS", str(compute.threads))  # or Lightning sets another number of threads
    if FOLLOWS in os.environ:
        follow()
    return World(here.rank, count)


def fabric_options(compute: Compute, world: World) -> dict[str, Any]:
    """What Lightning Fabric has to know of the processes."""
    if world.size == 1:
        return {"devices": 1, "plugins": [LightningEnvironment()]}  # whatever SLURM's variables say
    return {
        "devices": compute.devices,
        "num_nodes": compute.nodes,
        "plugins": [environment()],
        # Buffers are equal already: statistics are taken over all processes.
        "strategy": DDPStrategy(broadcast_buffers=False, find_unused_parameters="unused" in compute.strategy),
    }


def environment() -> ClusterEnvironment:
    if from_environment().launcher == "SLURM":
        return SLURMEnvironment(auto_requeue=False)
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()


def check_same_start(step: int, world: World) -> None:
    """Raises StudyError if processes go on from different steps: they do not share the folder with the states."""
    steps = [step] * world.size
    if world.size > 1:
        distributed.all_gather_object(steps, step)
    if len(set(steps)) > 1:
        raise StudyError(f"the processes would start at different steps, {steps}: keep .scratch on a shared disk")


@contextmanager
def together(world: World) -> Iterator[None]:
    """The processes of a training, from before it starts to its end; the leader starts those that nobody started.

    Raises StudyError if one of them ends before its time. Whatever happens, none that was started here is left.
    """
    others = Others(world.size) if world.size > 1 and not from_environment().launcher else None
    try:
        yield
        if others:
            others.end_well()
    except Exception as error:
        if not lost(error):
            raise
        if world.rank:  # the leader says what happened
            raise SystemExit(1) from None
        raise StudyError(others.reason() if others else f"another process of this training is gone; {AGAIN}") from None
    finally:
        if others:
            others.stop()


class Others:
    """All processes of a training on this machine but the first, which is this one."""

    def __init__(self, count: int) -> None:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(count)}
        os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "NODE_RANK": "0"}
        self.count, self.ending, self.noticed = count, threading.Event(), threading.Event()
        self.said = f"another process of this training is gone; {AGAIN}"
        self.processes = [self.start(number) for number in range(1, count)]
        for number in range(1, count):
            threading.Thread(target=self.watch, args=(number,), daemon=True).start()

    def start(self, number: int) -> subprocess.Popen:
        place = {"RANK": str(number), "LOCAL_RANK": str(number), FOLLOWS: "1"}
        command = [sys.executable, *sys.argv]
        return subprocess.Popen(command, env=os.environ | place, stdin=subprocess.PIPE)

    def watch(self, number: int) -> None:
        """Wait for a process; if it fails, and this one hangs in waiting for its answer, end this one."""
        status = self.processes[number - 1].wait()
        if status == 0 or self.ending.is_set():
            return
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        self.said = f"process {number + 1} of {self.count} {how}; {AGAIN}"
        self.noticed.set()
        if not self.ending.wait(PATIENCE):
            print(f"error: {self.said}", file=sys.stderr, flush=True)
            os._exit(1)

    def reason(self) -> str:
        self.noticed.wait(1)
        self.ending.set()
        return self.said

    def end_well(self) -> None:
        if any(process.wait() for process in self.processes):
            raise StudyError(self.reason())

    def stop(self) -> None:
        self.ending.set()
        for process in self.processes:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
        for key in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "LOCAL_RANK", "NODE_RANK"):
            os.environ.pop(key, None)


def follow() -> None:
    """End with the leader, at once and however it ended, and leave it to it what to do when told to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written: returns when the leader is no more
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def lost(error: Exception) -> bool:
    """Whether `error` is what a process says when it cannot reach another one any more."""
    backend = isinstance(error, distributed.DistError)
    return backend or (isinstance(error, RuntimeError) and ("gloo" in str(error) or "by peer" in str(error)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
