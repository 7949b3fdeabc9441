"""The one place that knows Ray: nodes, tasks, and how they end."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

from ilsvrc_replay.errors import StudyError, first_line
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime.cluster import worker

HERE = "127.0.0.2"  # for 127.0.0.1 Ray takes the machine's address in the network
FRESH = 5  # seconds for which it is known how many places there are
PATIENCE = 120  # seconds for every node to say what it has


class NodeLost(Exception):
    """A task ended without its doing: its node, or its process there, is gone."""


class RayCluster:
    """A cluster of Ray's, as the driver sees it: the one at `address`, or this machine alone.

    Nothing is sent to Ray's makers. A cluster that is started here has no dashboard; its ports listen on all of the
    machine's addresses, as Ray's do, but let nobody in without a token that is drawn for the time being. Raises
    StudyError if Ray is not installed, or nothing answers.
    """

    def __init__(self, address: str | None, compute: Compute) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if not address:  # before Ray is imported, which reads it once
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        try:
            import ray
        except ImportError:
            raise StudyError("--on ray needs Ray: pip install -e .[cluster]") from None
        if address and "://" in address:
            raise StudyError(f"--address {address}: run this on a node of the cluster, and name it HOST:PORT or auto")
        host = address.partition(":")[0] if address else HERE
        own = {"_node_ip_address": host} if host.startswith("127.") else {}
        try:
            ray.init(
                address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="ERROR",
                **own,
            )
        except Exception as error:  # whatever Ray comes up with
            raise StudyError(f"no Ray cluster at {address or 'this machine'}: {first_line(error)}") from None
        ray.cloudpickle.register_pickle_by_value(worker)
        self.ray = ray
        self.size = sizes(compute, "GPU" in ray.cluster_resources())
        self.there = ray.remote(num_returns="streaming", max_retries=0, **self.size)(there)
        self.tasks: set[Any] = set()
        self.counted, self.at = 0, 0.0

    @property
    def nodes(self) -> dict[str, str]:
        """The names of the nodes that are there, by Ray's own ids: as `ray start --node-name` has them, or else their
        addresses."""
        found = {node["NodeID"]: node for node in self.ray.nodes() if node["Alive"]}
        names = [node["NodeName"] for node in found.values()]
        return {
            key: node["NodeName"] if names.count(node["NodeName"]) == 1 else f"{node['NodeName']}/{key[:4]}"
            for key, node in found.items()
        }

    @property
    def places(self) -> int:
        """How many runs the nodes that are there have room for at once; asked anew after some seconds."""
        if not self.counted or time.monotonic() - self.at > FRESH:
            there = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
            room = [[has.get(kind, 0) // number for kind, number in self.wanted.items()] for has in there]
            self.counted, self.at = int(sum(map(min, room))), time.monotonic()
        return self.counted

    @property
    def wanted(self) -> dict[str, int]:
        return {kind: self.size[f"num_{kind.lower()}s"] for kind in ("CPU", "GPU") if self.size[f"num_{kind.lower()}s"]}

    def check_size(self) -> None:
        """Raises StudyError if no node can ever do a run."""
        if not self.places:
            need = " and ".join(f"{number} {kind}s" for kind, number in self.wanted.items())
            raise StudyError(f"a run needs {need}, by params.yaml's compute, and no node of the cluster has as many")

    def look(self, driver: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What each node has, by its name; of one that dies meanwhile nothing. Raises StudyError for one that cannot
        work, and if none is left."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        look = self.ray.remote(num_cpus=0, max_retries=0)(worker.look)
        nodes, looked = self.nodes, {}
        found = {key: look.options(scheduling_strategy=On(key, soft=False)).remote(driver) for key in nodes}
        for key, answer in found.items():
            try:
                looked[nodes[key]] = self.ray.get(answer, timeout=PATIENCE)
            except self.ray.exceptions.RayError as error:
                if key in self.nodes:
                    raise StudyError(f"node {nodes[key]} cannot work: {first_line(error)}") from None
        if not looked:
            raise StudyError("no node of the cluster is alive any more: `ray status` says what Ray knows of them")
        return looked

    def keep(self, content: Any) -> Any:
        """Put something where every node gets it from."""
        return self.ray.put(content)

    def work(self, driver: Any, task: dict[str, Any], snapshot: Any) -> Iterator[worker.Event]:
        """Do a run somewhere: first ("on", node), then what worker.work says. Raises NodeLost if it must be done again,
        and StudyError for what a node stumbled over."""
        exceptions = self.ray.exceptions
        events = self.there.remote(driver, task, [snapshot])
        self.tasks.add(events)
        try:
            for event in events:
                kind, *rest = self.ray.get(event)
                yield kind, *([self.nodes.get(rest[0], rest[0])] if kind == "on" else rest)
        except exceptions.RayTaskError as error:
            raise StudyError(f"{type(error.cause).__name__}: {first_line(error.cause)}") from None
        except exceptions.RayError as error:
            raise NodeLost(first_line(error).partition(". ")[0]) from None  # the rest is advice for Ray's own tools
        finally:
            self.tasks.discard(events)

    def stop(self) -> None:
        """End all tasks: Ray kills their processes, and the kernel what these have started."""
        for events in list(self.tasks):
            self.ray.cancel(events, force=True)

    def close(self) -> None:
        self.ray.shutdown()


def there(driver: dict[str, Any], task: dict[str, Any], snapshot: list[Any]) -> Iterator[worker.Event]:
    """A task, on its node. `snapshot` is fetched only where it is not yet."""
    import ray

    yield "on", ray.get_runtime_context().get_node_id()
    yield from worker.work(driver, task, lambda: ray.get(snapshot[0]))


def sizes(compute: Compute, has_gpus: bool) -> dict[str, int]:
    """What a run takes of a node: its GPUs, with a core each, or else its threads."""
    if compute.device == "cuda" or (compute.device == "auto" and has_gpus):
        return {"num_cpus": compute.devices, "num_gpus": compute.devices}
    return {"num_cpus": compute.devices * compute.threads, "num_gpus": 0}
