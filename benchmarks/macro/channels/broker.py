"""The Redis server and the publisher of a measurement."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.macro.server.process import LOAD_CORE, free_port
from benchmarks.peers import Peer


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server without persistence, and yield its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("this benchmark needs redis-server (Debian's package redis-server)")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, preexec_fn=_on_load_core)
        try:
            _wait_for(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise RuntimeError(f"redis-server ended with status {process.returncode}")


def _on_load_core() -> None:
    os.sched_setaffinity(0, {LOAD_CORE})


class Publisher:
    """A process of the measured library that publishes messages."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._expect("ready")

    def publish(self, number: int) -> None:
        """Publish a message that ends with a number."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        self._expect("published")

    def _expect(self, line: str) -> None:
        assert self._process.stdout is not None
        found = self._process.stdout.readline().strip()
        if found != line:
            raise RuntimeError(f"the publisher wrote {found!r} instead of {line!r}")


@contextmanager
def publisher(peer: Peer) -> Iterator[Publisher]:
    """Run the peer's program with the argument ``publish``."""
    process = subprocess.Popen(
        [str(peer.python()), str(peer.app), "publish"],
        env={**os.environ, **peer.environment},
        cwd=peer.app.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_on_load_core,
    )
    with process:
        try:
            yield Publisher(process)
        finally:
            process.kill()
