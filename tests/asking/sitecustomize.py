"""On the path of a Python, notes every host that it asks for, in $ASKED, and finds none but this machine."""

import os
import socket
from pathlib import Path

HERE = (None, "", "localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104
find = socket.getaddrinfo


def getaddrinfo(host, *arguments, **options):
    if (host.decode() if isinstance(host, bytes) else host) not in HERE:
        with Path(os.environ["ASKED"]).open("a") as file:
            file.write(f"{host}\n")
        raise socket.gaierror(socket.EAI_NONAME, "no network")
    return find(host, *arguments, **options)


socket.getaddrinfo = getaddrinfo
