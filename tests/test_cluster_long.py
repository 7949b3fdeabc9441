"""Studies spread over a Ray cluster of two nodes of this machine, each with its own disk; a folder or S3 as remote.

Whatever is killed, they end in the bytes of a study that one machine ran. Minutes each.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from bucket import KEYS, bucket
from clone import IDENTITY, Clone, read_until
from ray_nodes import Nodes

Summary = Callable[[str], None]
pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]
RUNS, FEWER = 12, 6


def make(folder: Path, runs: int = RUNS) -> Clone:
    clone = Clone(folder / "clone")
    clone.keep("alexnet", "zfnet")
    clone.set("seeds", list(range(runs // 2)))
    return clone


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = make(tmp_path_factory.mktemp("serial"))
    clone.run("replay", "run")
    return clone


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path_factory.mktemp("nodes"))
    try:
        nodes.start("a", cpus=1, **KEYS)
        nodes.start("b", cpus=1, **KEYS)
        yield nodes
    finally:
        nodes.stop()


def make_driver(tmp_path: Path, runs: int, s3: str = "") -> Clone:
    """A checkout with a remote, a folder or at an address that speaks S3, and a params.yaml that is not committed."""
    clone = make(tmp_path / "driver", runs)
    clone.environment |= KEYS
    clone.run("dvc", "remote", "add", "--default", "store", "s3://study/dvc" if s3 else str(tmp_path / "store"))
    if s3:
        clone.run("dvc", "remote", "modify", "store", "endpointurl", s3)
    return clone


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with bucket("study") as address:
        yield address


@pytest.fixture
def driver(tmp_path: Path) -> Clone:
    return make_driver(tmp_path, FEWER)


def same(clone: Clone, serial: Clone) -> bool:
    """Whether all that one made of single runs is what the other one made."""
    kinds = ("runs/", "predictions/", "metrics/", "tune@", "train@", "evaluate@")
    made, wanted = clone.made(), serial.made()
    assert any(name.startswith("evaluate@") for name in made)
    return all(made[name] == wanted[name] for name in made if name.startswith(kinds))


def start(driver: Clone, nodes: Nodes) -> subprocess.Popen:
    return driver.start("replay", "run", "--on", "ray", "--address", nodes.address)


def begun(said: str) -> Counter[str]:
    """How many runs were begun on each node."""
    return Counter(re.findall(r"^\S+-\d  on (\S+)$", said, re.MULTILINE))


def wait_for(condition: Callable[[], object], within: float = 120) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def entered(driver: Clone) -> int:
    """How many runs are in dvc.lock, which may be half written just now."""
    lock = driver.folder / "dvc.lock"
    return lock.read_text().count("\n  evaluate@") if lock.exists() else 0


@pytest.mark.parametrize("remote", ["folder", "s3"])
def test_a_study_of_two_nodes_is_that_of_one_machine(
    serial: Clone, tmp_path: Path, nodes: Nodes, endpoint: str, remote: str, summary: Summary
) -> None:
    driver = make_driver(tmp_path, RUNS, endpoint if remote == "s3" else "")
    process = start(driver, nodes)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "with what is not committed: .dvc/config, params.yaml" in said
    on = begun(said)
    assert on.keys() == {"a", "b"}
    assert on.total() == RUNS
    assert driver.made() == serial.made()
    assert not (driver.folder / ".scratch/runs").exists(), "the driver trains nothing"
    assert not list(nodes.folder.glob("*/*/mlflow.db")), "the nodes have no store of their own"
    with closing(sqlite3.connect(driver.folder / "mlflow.db")) as store:
        curves = store.execute("SELECT COUNT(DISTINCT run_uuid) FROM metrics WHERE key = 'val/top1_err'").fetchone()
    assert curves == (RUNS,)
    started = time.monotonic()
    assert "everything is up to date" in driver.run("replay", "run", "--on", "ray", "--address", nodes.address)
    again = time.monotonic() - started
    shares = " and ".join(map(str, on.values()))
    summary(f"{RUNS} runs spread over two Ray nodes by {remote}, {shares}: the same bytes; run again {again:.1f} s")


def test_a_driver_that_is_stopped_and_then_killed_goes_on(
    serial: Clone, driver: Clone, nodes: Nodes, summary: Summary
) -> None:
    process = start(driver, nodes)
    said = read_until(process, "  epoch ")
    process.send_signal(signal.SIGINT)
    said += process.communicate()[0]
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1].startswith("error: stopped"), said
    wait_for(lambda: not nodes.stages("a") + nodes.stages("b"), 30)
    process = start(driver, nodes)
    wait_for(lambda: entered(driver) >= 2, 600)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not nodes.stages("a") + nodes.stages("b"), 60)
    done = entered(driver)
    for listed in nodes.folder.glob("*/*/.dvc/tmp/rwlock"):
        listed.write_text("")  # as a kill may leave it
    process = start(driver, nodes)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert begun(said).total() <= FEWER - done
    assert same(driver, serial)
    summary(f"a cluster's driver stopped, then killed after {done} of {FEWER} runs: the same bytes")


def test_a_node_with_another_package_is_refused(driver: Clone, nodes: Nodes, tmp_path: Path) -> None:
    fake = tmp_path / "fake/numpy-0.0.1.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    nodes.start("foreign", 1, PYTHONPATH=str(fake.parent))
    try:
        said = driver.run("replay", "run", "--on", "ray", "--address", nodes.address, code=1)
    finally:
        nodes.kill("foreign")
    last = said.strip().splitlines()[-1]
    assert re.fullmatch(r"error: node foreign has numpy 0\.0\.1, the driver has [\d.]+: install .*", last), said
    assert "Traceback" not in said


def test_without_a_remote_and_a_shared_checkout_it_is_refused(driver: Clone, nodes: Nodes) -> None:
    driver.run("dvc", "remote", "remove", "store")
    said = driver.run("replay", "run", "--on", "ray", "--address", nodes.address, code=1)
    last = said.strip().splitlines()[-1]
    assert re.fullmatch(r"error: node [ab] does not see \S+, and there is no DVC remote .*: dvc remote add .*", last), (
        said
    )


def test_a_cluster_of_this_machine_works_in_this_checkout(serial: Clone, tmp_path: Path) -> None:
    clone = make(tmp_path, runs=2)
    said = clone.run("replay", "run", "--on", "ray", **IDENTITY)
    assert "in this checkout" in said
    assert begun(said).total() == 2
    assert same(clone, serial)
    assert clone.is_quiet(60)


def test_a_node_that_is_killed_loses_nothing(serial: Clone, driver: Clone, nodes: Nodes, summary: Summary) -> None:
    process = start(driver, nodes)
    said = read_until(process, "  on b")
    wait_for(lambda: "train" in nodes.stages("b"))
    nodes.kill("b")
    said += process.communicate()[0]
    assert process.returncode == 0, said
    assert said.count("it begins again elsewhere") == 1
    assert begun(said).total() == FEWER + 1
    assert same(driver, serial)
    summary(f"a node killed in a training, of a cluster of two: {FEWER} runs in the same bytes")


STRANGER = """
import os, subprocess, sys
from ilsvrc_replay.run import Compute
from ilsvrc_replay.runtime.cluster.ray_cluster import HERE, RayCluster

cluster = RayCluster(None, Compute(threads=1))
address = cluster.ray.get_runtime_context().gcs_address
join = [sys.executable, "-c", f"import ray; ray.init(address='{address}', _node_ip_address='{HERE}')"]
without = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
print([subprocess.run(join, env=env, capture_output=True).returncode for env in (without, dict(os.environ))])
cluster.close()
"""


def test_a_cluster_of_this_machine_lets_in_nobody_without_its_token() -> None:
    for _ in range(4):  # Ray gives a node 30 s to start, for which a busy machine may be too slow
        done = subprocess.run([sys.executable, "-c", STRANGER], capture_output=True, text=True)
        if "timed out during startup" not in done.stderr:
            break
    assert done.stdout.splitlines()[-1:] == ["[1, 0]"], done.stderr
