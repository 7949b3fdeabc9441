"""DVC as processes: started by name, listened to, and ended with all that they have started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime.console import Lines, pieces
from ilsvrc_replay.runtime.orphans import GRACE

# DVC without its chatter but with its errors, which --quiet hides; what a stage says goes past it. Terminated, it gives
# up the files that it has listed as in use, or a later `dvc repro` waits until init has buried it. The kernel may tell
# it once for every thread of a launcher that was killed: the first time counts, or the list would be left half-written.
QUIET = """
import os, signal, sys

def end(number, _):
    signal.signal(number, lambda *_: None)
    sys.exit(128 + number)

signal.signal(signal.SIGTERM, end)
sys.stdout = open(os.devnull, "w")
"""
DVC = f"{QUIET}from dvc.cli import main\nsys.exit(main(sys.argv[1:]))"
REPRO = ("--wait-for-lock", "repro", "--single-item")
RESOLVE = "resolve"  # the stage that runs at every call and says what decides the others
FAILED = "failed to run: "  # DVC's word of a stage that has said itself what is wrong
SILENT = "error: {} ended without a word, perhaps killed for want of memory: lower batch_size or --jobs"


class Processes:
    """Python processes that work for the launcher; what they say goes to its `watcher`."""

    def __init__(self, watcher: Lines) -> None:
        self.watcher = watcher
        self.running: set[subprocess.Popen] = set()
        self.stopping = False
        self.lock = threading.Lock()

    def execute(self, name: str, command: list[str], environment: dict[str, str], read: bytes = b"") -> bool:
        """Run Python, which may `read` what is given, and pass on what it says as `name`; False if it failed."""
        with self.lock:
            if self.stopping:
                return False
            # A process group of its own: to stop DVC alone would leave the training it started running.
            process = subprocess.Popen(
                [sys.executable, "-m", "ilsvrc_replay.runtime.orphans", str(os.getpid()), sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.watcher.environment | environment,
                start_new_session=True,
            )
            self.running.add(process)
        with suppress(BrokenPipeError):  # it has ended already
            process.stdin.write(read)
            process.stdin.close()
        spoke = self.relay(name, process)
        with self.lock:
            self.running.discard(process)
        if process.returncode and not spoke and not self.stopping:
            self.watcher.line(name, SILENT.format(name), sys.stderr)
        return process.returncode == 0

    def relay(self, name: str, process: subprocess.Popen) -> bool:
        """Pass on what it says as it says it, until it ends; returns whether it told of errors."""
        said: list[str] = []

        def errors() -> None:
            for line, _ in pieces(process.stderr):
                if FAILED not in line:
                    said.append(line)
                    self.watcher.line(name, line, sys.stderr)

        reader = threading.Thread(target=errors)
        reader.start()
        for line, moving in pieces(process.stdout):
            if moving:
                self.watcher.progress(name, line)
            else:
                self.watcher.line(name, line, sys.stdout)
        reader.join()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        return bool(said)

    def stop(self) -> None:
        """End every one with all processes that it started, and begin no more."""
        with self.lock:
            self.stopping = True
            running = list(self.running)
        for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            for process in running:
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + patience
            for process in running:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    break
            else:
                return


def pending() -> set[str]:
    """The stages that are not up to date by themselves, but for RESOLVE, which never is.

    Raises StudyError with DVC's reason if it cannot say.
    """
    status = subprocess.run(["dvc", "status", "--json"], capture_output=True, encoding="utf-8", errors="replace")
    if status.returncode:
        said = status.stderr.strip() or "dvc status failed"
        raise StudyError(" ".join(said[max(0, said.find("ERROR")) :].partition("\n\n")[0].split()))
    return set(json.loads(status.stdout)) - {RESOLVE}
