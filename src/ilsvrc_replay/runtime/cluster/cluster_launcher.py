"""Run a study with its runs spread over a cluster: Ray finds the places, DVC's remote carries data and results.

Stages that are no runs, and all bookkeeping, stay at the driver. A worker has a clone of the checkout as it stands, and
does a run's stages by stock DVC; the driver then finds them in DVC's run cache, and enters them by stock DVC.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime import tracking
from ilsvrc_replay.runtime.cluster import snapshot, worker
from ilsvrc_replay.runtime.cluster.driver_config import config, packages
from ilsvrc_replay.runtime.cluster.ray_cluster import FRESH, NodeLost, RayCluster
from ilsvrc_replay.runtime.console import MOVING
from ilsvrc_replay.runtime.dvc_processes import DVC, FAILED, QUIET, REPRO, pending
from ilsvrc_replay.runtime.launcher import Launcher
from ilsvrc_replay.runtime.scratch import scratch

SPARE = 2  # runs that Ray is asked for beyond its places: a place is not empty until it is asked for the next one
TOGETHER = 20  # seconds in which runs gather that are entered together: DVC takes two to start, whatever it enters
TRIES = 5  # times that a run is begun whose nodes die, one after the other
DATA = ("resolve", "acquire", "prepare")  # the stages that all runs depend on
CARRIER = f"{QUIET}from ilsvrc_replay.runtime.cluster.carrier import run\nsys.exit(run(sys.argv[1]))"
DECIDED = ("MLFLOW_TRACKING_URI", "OMP_NUM_THREADS", MOVING, tracking.LATER, "REPLAY_KEEP_SECONDS", "PYTHONPATH")


class ClusterLauncher(Launcher):
    """Of so many `runs` as many at a time as the cluster at `address` has places for, `jobs` at the most."""

    def __init__(self, runs: int, jobs: int, address: str | None, compute: Compute) -> None:
        super().__init__(runs)  # one that is being entered takes no place from another
        self.most = jobs
        if compute.nodes > 1:
            raise StudyError("compute.nodes is for one net on several machines, by torchrun: a run of --on ray has one")
        self.address, self.compute = address, compute
        self.cluster: RayCluster | None = None
        self.driver: dict[str, Any] = {}
        self.sent: tuple[str, Any] = ("", None)  # the snapshot's id, and where the nodes get it from
        self.todo: set[str] = set()
        self.book: list[dict[str, Any]] = []  # what is to be entered
        self.lock, self.turn = threading.Lock(), threading.Lock()  # of the book, and of the one that enters
        self.asking, self.order = 0, threading.Condition()

    def open(self, _todo: Collection[str] = ()) -> None:
        """Connect, and hold every node against this machine. Raises StudyError for what keeps one from working."""
        root = Path.cwd()
        marker = scratch("cluster") / "marker"
        marker.write_text(uuid.uuid4().hex, encoding="utf-8")
        self.cluster = RayCluster(self.address, self.compute)
        self.cluster.check_size()
        self.driver = {
            "checkout": str(root),
            "marker": (str(marker.relative_to(root)), marker.read_text(encoding="utf-8")),
            "name": f"{root.name}-{uuid.uuid5(uuid.NAMESPACE_URL, f'{uuid.getnode()} {root}').hex[:8]}",
            "versions": worker.versions(packages()),
            "decided": DECIDED,
            "environment": self.environment(),
        }
        nodes = self.cluster.look(self.driver)
        for name, has in nodes.items():
            if why := worker.difference(self.driver["versions"], has["versions"]):
                raise StudyError(f"node {name} {why}")
        blind = [name for name, has in nodes.items() if not has["sees"]]
        self.driver["shared"] = not blind
        if blind and not config():
            raise StudyError(
                f"node {blind[0]} does not see {root}, and there is no DVC remote to carry data: dvc remote add -d"
            )
        if blind and (edited := snapshot.uncommitted()):
            print(f"the cluster gets the checkout as it stands, with what is not committed: {some(edited)}")
        where = "in this checkout, which all see" if not blind else "in clones, by the DVC remote"
        print(f"on {len(nodes)} nodes, {where}: {some(list(nodes))}")

    def environment(self) -> dict[str, str]:
        """What the driver decides of a stage's environment. MLflow is sent to from the nodes only if it is a server."""
        own = {name: self.watcher.environment[name] for name in DECIDED if name in self.watcher.environment}
        own.pop("PYTHONPATH", None)
        server = os.environ.get("MLFLOW_TRACKING_URI", "").startswith(("http://", "https://"))
        return own | {tracking.LATER: "1" if server else tracking.NOT_HERE}

    def bring_up_to_date(self, runs: Mapping[str, Sequence[str]], searches: Collection[str], before_runs: Any) -> None:
        try:
            super().bring_up_to_date(runs, searches, before_runs)
        finally:
            if self.cluster:
                self.cluster.close()

    def make_ready(
        self, runs: Mapping[str, Sequence[str]], todo: set[str], beside: Collection[Future[str | None]]
    ) -> set[str]:
        """Let the remote have what runs or searches need and the nodes the checkout as it is now, after what the remote
        has of them was taken: so a driver goes on that was killed."""
        self.todo = todo
        if self.driver.get("shared", True):
            return todo
        wait(beside)  # DVC says nothing of a stage at work
        names = [name for each in runs.values() for name in each]
        levels = [[f"train@{name}" for name in names], [f"evaluate@{name}" for name in names]]
        if not runs:
            levels = [list(self.trainings)]  # the searches
        levels = [[stage for stage in level if stage in todo] for level in levels]
        needed = [*DATA, *(f"tune@{entry}" for entry in runs)]
        trained = [f"train@{name}" for name in names if f"train@{name}" not in todo and f"evaluate@{name}" in todo]
        if not self.call("offer", "offer", {"levels": levels, "needed": [*needed, *trained]}):
            raise StudyError("failed: what the runs need could not be pushed to the DVC remote")
        taken = snapshot.take(config(), needed)
        self.sent, self.todo = (taken["id"], self.cluster.keep(taken)), pending()
        return self.todo

    def train(self, name: str) -> bool:
        """Do a run somewhere, and again elsewhere if its node dies."""
        for number in range(TRIES):
            try:
                with self.asked(is_next=number > 0):
                    done, made = self.spread(name)
                return done and (made is None or self.enter(name, made))
            except NodeLost as lost:
                if self.processes.stopping:
                    return False
                again = "it begins again elsewhere" if number + 1 < TRIES else "it is given up"
                self.watcher.line(name, f"warning: {name}: {lost}; {again}", sys.stderr)
            except StudyError as error:
                self.watcher.line(name, f"error: {name}: {error}", sys.stderr)
                return False
        return False

    @property
    def allowed(self) -> int:
        """How many runs Ray is asked for at once."""
        return min(self.most, self.cluster.places + SPARE)

    @contextmanager
    def asked(self, is_next: bool) -> Iterator[None]:
        """Wait until there may soon be a place. Ray begins tasks in the order in which it was asked for them: were it
        asked for all at once, a run whose node has died would be behind all others, heavy as it may be."""
        with self.order:
            while not is_next and self.asking >= self.allowed and not self.processes.stopping:
                self.order.wait(FRESH)  # nodes come and go
            self.asking += 1
        try:
            yield
        finally:
            with self.order:
                self.asking -= 1
                self.order.notify_all()

    def spread(self, name: str) -> tuple[bool, dict[str, Any] | None]:
        """Whether a node did it, and what is to be entered of it; of a shared checkout nothing is."""
        shared, stages = self.driver["shared"], self.groups[name]
        command = ["-c", DVC, *REPRO, *stages] if shared else ["-c", CARRIER, "carry"]
        own = {"name": name, "stages": stages, "command": command, "snapshot": self.sent[0]}
        own["pull"] = [stage for stage in stages if stage not in self.todo]
        if self.processes.stopping:
            return False, None
        events = self.cluster.work(self.driver, own, self.sent[1])
        _, node = next(events)  # waits for a place
        made = None
        with self.watched(name, node) as ended:
            for kind, *rest in events:
                if kind == "line":
                    self.hear(name, *rest)
                elif kind == "refused":
                    raise StudyError(f"node {node} {rest[0]}")
                else:
                    status, made = rest
                    ended.append(status == 0)
        return any(ended), made

    def hear(self, name: str, line: str, moving: bool, is_error: bool) -> None:
        if moving:
            self.watcher.progress(name, line)
        elif FAILED not in line:
            self.watcher.line(name, line, sys.stderr if is_error else sys.stdout)

    def enter(self, name: str, made: dict[str, Any]) -> bool:
        """Enter what a worker made into this checkout, together with what comes in soon, as long as others are out."""
        for account in made["accounts"]:
            tracking.write(account)
        mine = {"name": name, "stages": self.groups[name], "entries": made["entries"], "done": None}
        with self.lock:
            self.book.append(mine)
        with self.turn:
            if mine["done"] is None:
                with self.order:
                    self.order.wait_for(lambda: not self.asking or self.processes.stopping, TOGETHER)
                with self.lock:
                    batch, self.book = self.book, []
                if not self.enter_all(batch) and len(batch) > 1:
                    for each in batch:
                        self.enter_all([each])
        return mine["done"]

    def enter_all(self, batch: list[dict[str, Any]]) -> bool:
        request = {
            "stages": [stage for each in batch for stage in each["stages"]],
            "entries": {key: text for each in batch for key, text in each["entries"].items()},
        }
        done = self.call(batch[0]["name"], "enter", request)
        for each in batch:
            each["done"] = done
        return done

    def call(self, name: str, verb: str, request: dict[str, Any]) -> bool:
        return self.processes.execute(name, ["-c", CARRIER, verb], {}, json.dumps(request).encode())

    def stop(self) -> None:
        super().stop()
        with self.order:
            self.order.notify_all()
        if self.cluster:
            self.cluster.stop()


def some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
