"""MLflow's pages of a study."""

from __future__ import annotations

import os
import socket
import sys

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.runtime.mlflow_runs import Runs, reason
from ilsvrc_replay.runtime.tracking import uri

HOST = "127.0.0.1"
# The charts of all runs, by their error: MLflow's own first page is that of chats, and lists a study's runs folded.
PAGE = "#/experiments/{}/runs?workflowType=machine_learning&compareRunsMode=CHART"
ORDER = "&searchFilter=tags.kind%20%3D%20%27run%27&orderByKey=metrics.%60val%2Ftop1_err%60&orderByAsc=true"


def serve(study: str, port: int) -> None:
    """Print the address of the study's runs; become MLflow's server, unless a server has them.

    Raises StudyError if the port is taken, or if MLflow's store or server cannot be used.
    """
    store = uri()
    served = store.startswith(("http://", "https://"))
    if not served and is_taken(port):
        raise StudyError(f"port {port} is in use, perhaps by another `replay ui`: choose another with --port")
    try:
        experiment = Runs(store, study).experiment
    except Exception as error:  # whatever a server, a disk or a client library comes up with
        raise StudyError(f"MLflow at {store} fails ({reason(error)})") from None
    address = store.rstrip("/") if served else f"http://{HOST}:{port}"
    print(f"{address}/{PAGE.format(experiment)}{ORDER}", flush=True)
    if not served:
        where = ["--backend-store-uri", store, "--host", HOST, "--port", str(port), "--workers", "1"]
        lean = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # another process, for chats
        os.execve(sys.executable, [sys.executable, "-m", "mlflow", "server", *where], os.environ | lean)  # noqa: S606


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False
