"""Nodes of a Ray cluster on this machine, each with a folder as its disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.2"  # this machine alone reaches it; Ray takes 127.0.0.1 for this machine's address in its network
RAY = str(Path(sys.executable).with_name("ray"))


class Nodes:
    """A cluster on 127.0.0.1; the first node that starts is its head."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.disks = folder, {}
        self.sockets = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # short, for the paths of sockets
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.address = f"{HOST}:{free.getsockname()[1]}"

    def start(self, name: str, cpus: int, own_disk: bool = True, **environment: str) -> Path:
        """Returns the folder that is the node's disk."""
        disk = self.folder / name
        (disk / "home").mkdir(parents=True)
        self.disks[name] = disk
        place = ["--address", self.address] if len(self.disks) > 1 else self.head()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "REPLAY_", "DVC_"))}
        own = {"HOME": str(disk / "home"), "NODES": str(disk), "RAY_agent_register_timeout_ms": "300000"}
        own |= {"RAY_worker_niceness": "0"}  # Ray's 15 would leave a busy machine's nodes with next to nothing
        own |= {"REPLAY_DISK": str(disk)} if own_disk else {}
        command = [RAY, "start", *place, f"--node-ip-address={HOST}", f"--node-name={name}", f"--num-cpus={cpus}"]
        command += ["--object-store-memory=100000000", "--disable-usage-stats"]
        for _ in range(4):  # Ray gives a node 30 s to start, for which a busy machine may be too slow
            done = subprocess.run(
                command, env=kept | own | environment, capture_output=True, text=True, start_new_session=True
            )
            if done.returncode == 0:
                return disk
            self.kill(name)
        raise AssertionError(done.stdout + done.stderr)

    def head(self) -> list[str]:
        port = self.address.partition(":")[2]
        return ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self.sockets}"]

    def kill(self, name: str) -> None:
        """As if its machine lost its power: everything that runs there, Ray and the stages, is gone at once."""
        deadline = time.monotonic() + 30
        while (found := self.processes(name)) and time.monotonic() < deadline:
            for process in found:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.2)

    def processes(self, name: str) -> list[int]:
        """Those that were started by `ray start` for this node, and what they have started."""
        mark, found = f"NODES={self.disks[name]}\0".encode(), []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                found += [int(path.parent.name)] if mark in path.read_bytes() else []
        return found

    def stages(self, name: str) -> list[str]:
        """The stages whose script is at work on the node."""
        found = []
        for process in self.processes(name):
            with suppress(OSError):
                words = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").split("\0")
                found += [Path(word).stem for word in words[1:2] if word.startswith("pipelines/")]
        return found

    def stop(self) -> None:
        for name in reversed(self.disks):
            self.kill(name)
        shutil.rmtree(self.sockets, ignore_errors=True)
