"""The tested server as a process: starting it, querying its resources, and comparing them."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: The time in seconds for a server to start, and to close all connections.
TIMEOUT = 30.0
#: The permitted growth. The limit for memory is large, because the allocator does not return all freed
#: memory. A leak of a connection's objects or buffers would exceed it many times after thousands of faults.
SLACK = {"descriptors": 0, "tasks": 0, "connections": 0, "objects": 300, "rss": 8 * 1024}


class _Control(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """``compliance.faults.server`` in a separate process; a context manager.

    :param arguments: arguments of the server.
    :param before: command prefix to run it with: ``["ip", "netns", "exec", …]``.
    """

    def __init__(self, arguments: Sequence[str] = (), before: Sequence[str] = ()) -> None:
        self._arguments = arguments
        self._before = before
        self.port = 0
        self.pid = 0

    def __enter__(self) -> Server:
        self._folder = tempfile.TemporaryDirectory()
        self._path = f"{self._folder.name}/control"
        self._log = tempfile.TemporaryFile()
        command = [sys.executable, "-m", "compliance.faults.server", f"--control={self._path}"]
        self._process = subprocess.Popen(
            [*self._before, *command, *self._arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip().isdigit():
            self.__exit__(None, None, None)
            raise RuntimeError(f"the server did not start:\n{self.output}")
        self.port = int(line)
        self.pid = self._process.pid
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.seek(0)
        #: The log of the server, once it has exited.
        self.output = self._log.read().decode(errors="replace")
        self._log.close()
        self._folder.cleanup()

    def _ask(self, method: str, path: str) -> bytes:
        control = _Control(self._path)
        try:
            control.request(method, path)
            response = control.getresponse()
            body = response.read()
        finally:
            control.close()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status}")
        return body

    def state(self) -> dict[str, Any]:
        """Return the resources of the server."""
        answer: dict[str, Any] = json.loads(self._ask("GET", "/state"))
        return answer

    def inject(self, on: bool) -> None:
        """Start or stop the injection of faults."""
        self._ask("POST", f"/faults?on={int(on)}")

    def at_rest(self) -> dict[str, Any]:
        """Return the resources of the server once it has no connections, or after a timeout."""
        end, pause = time.monotonic() + TIMEOUT, 0.002
        while True:
            state = self.state()
            if (not state["connections"] and state["tasks"] <= 2) or time.monotonic() > end:
                return state
            time.sleep(pause)
            pause = min(pause * 2, 0.2)


def leaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Describe each resource whose growth exceeds the permitted growth."""
    return [
        f"{name}: {before[name]} before, {after[name]} after"
        for name, slack in SLACK.items()
        if after[name] > before[name] + slack
    ]
