"""The servers, each started with an application in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_START_TIMEOUT = 30.0

#: The commands, with the application and the port as placeholders.
COMMANDS = {
    "Waterspout": "tornado serve {app} --bind 127.0.0.1:{port}",
    "uvicorn": "uvicorn {app} --port {port} --log-level critical",
    "hypercorn": "hypercorn {app} --bind 127.0.0.1:{port} --log-level critical",
}


@contextlib.contextmanager
def running(server: str, application: str) -> Iterator[int]:
    """Run a server with an application; the value is its port.

    :param application: ``module:name``.
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    arguments = COMMANDS[server].format(app=application, port=port).split()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_listening(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server has not started: {process.args!r}") from None
            time.sleep(0.05)
        else:
            return


__all__ = ["COMMANDS", "running"]
