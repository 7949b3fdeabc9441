"""A training in MLflow, while it goes on: its account in a file at every validation, and a thread that sends it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime import tracking
from ilsvrc_replay.runtime.projection import Account
from ilsvrc_replay.training.loop import Callback, Loop
from ilsvrc_replay.training.module import Classifier

SHORT = 120.0  # seconds within which a training ends that leaves it to a later stage to send
PAUSE = 10.0  # seconds from one sending to the next, whether it went well or not
WAIT, WAIT_KILLED = 15.0, 3.0  # seconds that the end waits for the last sending; that of a training that is killed


@contextmanager
def shown(run: str, record: dict[str, Any], key: str) -> Iterator[Live]:
    """A training while the block lasts: finished if it ends well, else failed or killed, and why.

    One with the same `key`, of a process that was killed, is gone on with.
    """
    with tracking.held(key):
        live = Live(tracking.of_training(run, record, key))
        try:
            yield live
        except BaseException as error:
            killed = isinstance(error, (KeyboardInterrupt, SystemExit))
            status, wait = ("KILLED", WAIT_KILLED) if killed else ("FAILED", WAIT)
            live.end(status, f"{type(error).__name__}: {error}", wait)
            raise
        live.end("FINISHED", "well", WAIT)


class Live(Callback):
    """Nothing here waits for MLflow but the end, and no failure ends the training: the first one is a warning."""

    def __init__(self, account: Account) -> None:
        self.account, self.warned, self.sent = account, False, False
        self.news, self.ending = threading.Event(), threading.Event()
        self.tell()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def on_validation_end(self, trainer: Loop, pl_module: Classifier) -> None:
        """A row that is there already stays: a training that goes on may measure it again."""
        known, at = {row["step"]: row for row in self.account["curve"]}, tracking.now()
        rows = {row["step"]: row | {"at": at} for row in pl_module.curve} | known
        self.tell(curve=[rows[step] for step in sorted(rows)])

    def tell(self, **values: Any) -> None:
        self.account = self.account | values  # a new one: the thread may be reading the old one
        try:
            tracking.write(self.account)
        except (StudyError, OSError) as error:  # of a full disk; sent it is still, if the process lives to do it
            self.complain(error)
        self.news.set()

    def end(self, status: str, reason: str, wait: float) -> None:
        self.tell(status=status, ended=reason, ended_at=tracking.now())
        self.ending.set()
        self.thread.join(wait)
        if self.sent:
            tracking.forget(self.account["key"])

    def complain(self, error: Exception) -> None:
        if not self.warned:
            self.warned = True
            tracking.warn(error)

    def work(self) -> None:
        """Send what is new, until the end is sent."""
        later = os.environ.get(tracking.LATER)
        if later and self.ending.wait(None if later == tracking.NOT_HERE else SHORT):
            return
        while not self.sent:
            self.news.wait()
            self.news.clear()
            last, account = self.ending.is_set(), self.account
            try:
                tracking.send(account)
                self.sent = account["status"] != "RUNNING"
            except Exception as error:  # whatever a server, a disk or a client library comes up with
                self.complain(error)
                self.news.set()
                if last:
                    return
            self.ending.wait(PAUSE)
