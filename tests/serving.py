"""MLflow's pages of a study, served by `replay ui`."""

from __future__ import annotations

import os
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from clone import Clone

PATIENCE = 120  # seconds for MLflow to start, on a busy machine


@contextmanager
def served(clone: Clone) -> Iterator[str]:
    """The address that `replay ui` prints, once it is answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = clone.start("replay", "ui", "--port", str(port))
    try:
        address = process.stdout.readline().strip()
        answer(address)
        yield address
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def answer(address: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as page:
                return page.read().decode()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
