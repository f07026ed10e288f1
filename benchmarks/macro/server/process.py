"""The measured server process and its resource usage."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import Peer

#: The CPU cores of the server and of the load generator; the same if there is only one.
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]


@dataclass(frozen=True)
class Server:
    """A running server."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Return the user and system time of all threads, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Return the proportional set size in bytes: each process counts its share of shared pages."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024


def free_port() -> int:
    """Return a port chosen by the kernel. The benchmark requests no other port before this one is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    peer: Peer, *, tls: Path | None = None, logged: bool = False, wrapper: Sequence[str] = ()
) -> Iterator[Server]:
    """Run the peer's program and wait until it accepts connections. ``wrapper`` is a command prefix."""
    port = free_port()
    environment = {
        **os.environ,
        **peer.environment,
        "BENCH_PORT": str(port),
        "BENCH_TLS": str(tls or ""),
        "BENCH_LOG": "1" if logged else "",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONHASHSEED": "0",
    }
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [*wrapper, str(peer.python()), str(peer.app)],
            env=environment,
            cwd=peer.app.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if logged else errors,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
        try:
            if not _accepts(process, port):
                errors.seek(0)
                raise RuntimeError(f"{peer.title} did not start:\n{errors.read().decode(errors='replace')}")
            yield Server(process.pid, port)
        finally:
            # SIGTERM is sent first, because valgrind does not remove its pipes when it is killed.
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _accepts(process: subprocess.Popen[bytes], port: int, deadline: float = 180.0) -> bool:
    end, pause = time.monotonic() + deadline, 0.02
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=deadline).close()
            return True
        except ConnectionRefusedError:
            pass
        try:
            process.wait(pause)
            return False
        except subprocess.TimeoutExpired:
            pause = min(pause * 1.5, 0.5)
    return False
