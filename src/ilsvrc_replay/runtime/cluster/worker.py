"""What runs on a node of a cluster: it makes or reuses a clone of the driver's checkout, and does a run in it.

This file travels to the nodes as it is, by value, and imports nothing but Python's own library: a node needs the
packages of requirements.lock, and no checkout of the project.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import IO, Any

DISK = "REPLAY_DISK"  # an environment variable of `ray start`: the folder for this node's clones, even if it sees more
GRACE = 12  # seconds that a stage has to end by itself once it is told to
PAUSE = 1.0  # seconds between two lines of a run that replace one another
Event = tuple[Any, ...]


def look(driver: dict[str, Any]) -> dict[str, Any]:
    """What decides whether this node can work for a driver: whether it sees its checkout, and what is installed."""
    return {"sees": sees(driver["checkout"], driver["marker"]), "versions": versions(driver["versions"])}


def sees(checkout: str, marker: tuple[str, str]) -> bool:
    """Whether the driver's checkout lies at the same path here, to be written to, by a file in it that the driver has
    just written."""
    path = Path(checkout) / marker[0]
    try:
        return DISK not in os.environ and path.read_text(encoding="utf-8") == marker[1] and os.access(path, os.W_OK)
    except OSError:
        return False


def versions(names: Any) -> dict[str, str | None]:
    """The versions that are installed of Python and of these packages."""
    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for name in names:
        if name != "python":
            with suppress(metadata.PackageNotFoundError):
                found[name] = metadata.version(name)
    return found


def difference(driver: dict[str, str], here: dict[str, str | None]) -> str:
    """The first package in which a node differs from the driver, in words; empty if there is none."""
    for name, version in driver.items():
        if here.get(name) != version:
            has = f"has {name} {here[name]}" if here.get(name) else f"lacks {name}"
            return f"{has}, the driver has {version}: install requirements.lock on both"
    return ""


def work(driver: dict[str, Any], task: dict[str, Any], fetch: Callable[[], dict[str, Any]]) -> Iterator[Event]:
    """Do a run's stages, and say what happens: ("line", text, replaced by the next, error) as they speak, at the end
    ("done", status, what was made). ("refused", why) if this node cannot work for the driver.

    `fetch` gives the snapshot of which a clone is made; where the driver's checkout is seen, none is.
    """
    if why := difference(driver["versions"], versions(driver["versions"])):
        yield "refused", why
        return
    if driver["shared"] and not sees(driver["checkout"], driver["marker"]):
        yield "refused", f"does not see {driver['checkout']}, as the others do, and there is no DVC remote"
        return
    with in_shared(driver) if driver["shared"] else in_clone(driver, task, fetch) as (folder, kept):
        wait_for_the_killed(folder, task["name"])
        made = folder / ".scratch/cluster" / f"{task['name']}.json"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        request = json.dumps({"stages": task["stages"], "pull": task["pull"], "made": str(made)})
        process = start(folder, driver, task["command"], request, kept)
        try:
            yield from speech(process)
            status = process.wait()
        finally:
            end(process)
        yield "done", status, json.loads(made.read_text(encoding="utf-8")) if made.exists() else None


@contextmanager
def in_shared(driver: dict[str, Any]) -> Iterator[tuple[Path, list[int]]]:
    yield Path(driver["checkout"]), []


@contextmanager
def in_clone(
    driver: dict[str, Any], task: dict[str, Any], fetch: Callable[[], dict[str, Any]]
) -> Iterator[tuple[Path, list[int]]]:
    """This node's clone of the driver's checkout, of the snapshot that the task is for, while the block lasts.

    Many tasks work in it at once; another snapshot's wait until it is theirs alone. What the lock's file descriptor is
    passed on to holds it, too.
    """
    folder = Path(os.environ.get(DISK) or Path.home() / ".cache/ilsvrc-replay") / driver["name"]
    folder.mkdir(parents=True, exist_ok=True)
    of = folder / ".git/replay-snapshot"
    with folder.with_suffix(".lock").open("a", encoding="utf-8") as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if of.exists() and of.read_text(encoding="utf-8") == task["snapshot"]:
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not of.exists() or of.read_text(encoding="utf-8") != task["snapshot"]:
                of.unlink(missing_ok=True)
                bring_to(folder, driver, fetch())
                of.write_text(task["snapshot"], encoding="utf-8")
        yield folder, [lock.fileno()]


def bring_to(folder: Path, driver: dict[str, Any], snapshot: dict[str, Any]) -> None:
    """Make the clone what the driver's checkout is: HEAD, files, the remote, and the data that all runs depend on.

    What git ignores stays: data, DVC's cache, and the states of trainings that were killed.
    """
    if not (folder / ".git").exists():
        called("git", "init", "--quiet", folder=folder)
    git = folder / ".git"
    bundle = git / "replay-bundle"
    bundle.write_bytes(snapshot["bundle"])
    if snapshot["shallow"]:
        (git / "shallow").write_text(snapshot["shallow"], encoding="ascii")
    called("git", "fetch", "--quiet", "--force", str(bundle), "HEAD:refs/replay/head", "+refs/*:refs/*", folder=folder)
    bundle.unlink()
    called("git", "read-tree", "--reset", "-u", snapshot["stands"], folder=folder)
    called("git", "update-ref", "--no-deref", "HEAD", snapshot["head"], folder=folder)
    config = folder / ".dvc/config.local"
    config.touch(mode=0o600)
    config.write_text(snapshot["config"], encoding="utf-8")
    command = [sys.executable, "-m", "dvc", "pull", *snapshot["needed"]]
    called(*command, folder=folder, env=environment(folder, driver))


def called(*command: str, folder: Path, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        said = (done.stderr.strip() or "no reason given").splitlines()
        why = next((line for line in said if line.startswith(("ERROR", "fatal"))), said[0])
        raise RuntimeError(f"{' '.join(command[:4])}: {why}")


def environment(folder: Path, driver: dict[str, Any]) -> dict[str, str]:
    """This node's, but for what the driver decides, and with this Python's commands and the clone's code first.

    Ray sets OMP_NUM_THREADS, by which sums would be split otherwise than at the driver.
    """
    own = {key: value for key, value in os.environ.items() if key not in driver["decided"]}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return own | driver["environment"] | {"PATH": path, "PYTHONPATH": str(folder / "src")}


def start(
    folder: Path, driver: dict[str, Any], command: list[str], request: str, kept: list[int]
) -> subprocess.Popen[bytes]:
    """A command in a process group of its own, which the kernel ends when this process ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ilsvrc_replay.runtime.orphans", str(os.getpid()), sys.executable, *command],
        cwd=folder,
        env=environment(folder, driver),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=kept,
    )
    with suppress(BrokenPipeError):
        process.stdin.write(request.encode())
        process.stdin.close()
    return process


def speech(process: subprocess.Popen[bytes]) -> Iterator[Event]:
    """What it says on both streams, line by line, until it has closed them."""
    rest: dict[IO[bytes], bytes] = {process.stdout: b"", process.stderr: b""}
    moved = 0.0
    with selectors.DefaultSelector() as ready:
        for stream in rest:
            ready.register(stream, selectors.EVENT_READ)
        while ready.get_map():
            for key, _ in ready.select(PAUSE):  # so that Ray's word to end is heard
                stream = key.fileobj
                chunk = os.read(stream.fileno(), 65536)
                *whole, rest[stream] = re.split(rb"(?<=[\r\n])", rest[stream] + chunk)
                if not chunk:
                    ready.unregister(stream)
                    whole.append(rest[stream])
                for piece in filter(None, whole):
                    moving = piece.endswith(b"\r")
                    if not moving or time.monotonic() - moved > PAUSE:
                        moved = time.monotonic() if moving else moved
                        yield "line", piece.rstrip(b"\r\n").decode(errors="replace"), moving, stream is process.stderr


def end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, number)
                process.wait(GRACE)


def wait_for_the_killed(folder: Path, name: str) -> None:
    """A training whose driver was killed a moment ago may still be keeping its state, from which this one goes on."""
    deadline = time.monotonic() + GRACE
    for path in (folder / ".scratch/runs" / name).glob("*/lock"):
        with suppress(FileNotFoundError), path.open("a", encoding="utf-8") as lock:
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.1)
