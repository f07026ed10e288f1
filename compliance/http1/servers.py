"""The servers that the corpus can be sent to, each running an echo handler."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.macro.server.peers import PEERS
from benchmarks.peers import version
from compliance.http1.runner import Target

APPS = Path(__file__).parent / "apps"
#: Seconds between two octets sent one by one to another process, so that it reads them separately.
PAUSE = 0.0005


_NGINX_TLS = "ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;"


@dataclass(frozen=True)
class Server:
    """A server and its command.

    :ivar name: its name on the command line and in `Case.only`.
    :ivar peer: the peer in ``benchmarks/macro/server/peers.py`` whose virtual environment it uses; empty for
        nginx.
    """

    name: str
    title: str
    app: str
    peer: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Return the title and the version."""
        if not self.peer:
            done = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
            return f"nginx {done.stderr.rpartition('/')[2].strip()}"
        versions = version(PEERS[self.peer]).split()
        found = dict(zip(versions[::2], versions[1::2], strict=False))
        main = re.split(r"[ \[=]", (PEERS[self.peer].requirements or ("tornado",))[0])[0]
        return f"{self.title} {found.get(main) or found.get(main + '[standard]') or ''}".strip()

    def missing(self) -> str | None:
        """Return why the server cannot run on this machine, or None."""
        if not self.peer and shutil.which("nginx") is None:
            return "nginx is not installed; on Debian: apt-get install nginx-light"
        return None

    def command(self, port: int, folder: Path, tls: Path | None) -> list[str]:
        """Return the command that starts the server."""
        if self.peer:
            return [str(PEERS[self.peer].python()), str(APPS / self.app)]
        configuration = folder / "nginx.conf"
        secure = "" if tls is None else _NGINX_TLS.format(folder=tls)
        values = {"port": port, "folder": folder, "ssl": "ssl" if tls else "", "secure": secure}
        configuration.write_text((APPS / self.app).read_text().format(**values))
        return ["nginx", "-p", str(folder), "-c", str(configuration)]


SERVERS = {
    server.name: server
    for server in [
        Server("ours", "Waterspout", "tornado_app.py", "ours"),
        Server("tornado", "Tornado", "tornado_app.py", "tornado"),
        Server("uvicorn", "uvicorn (httptools)", "uvicorn_app.py", "uvicorn", {"ECHO_PARSER": "httptools"}),
        Server("uvicorn-h11", "uvicorn (h11)", "uvicorn_app.py", "uvicorn", {"ECHO_PARSER": "h11"}),
        Server("aiohttp", "aiohttp", "aiohttp_app.py", "aiohttp"),
        Server("nginx", "nginx", "nginx.conf"),
    ]
}


@contextmanager
def running(
    server: Server, *, deadline: float, tls: tuple[Path, ssl.SSLContext] | None = None
) -> Iterator[Target]:
    """Run the server on a port chosen by the kernel, and wait until it accepts connections.

    :param deadline: timeout of a case in seconds.
    :param tls: a folder with ``server.pem`` and ``server.key``, and a context that trusts them.
    :raises RuntimeError: if the server does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="echo-") as folder, tempfile.TemporaryFile() as errors:
        secrets, context = tls or (None, None)
        environment = {**server.environment, "ECHO_PORT": str(port), "ECHO_TLS": str(secrets or "")}
        process = subprocess.Popen(
            server.command(port, Path(folder), secrets),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            if not _accepts(process, port):
                errors.seek(0)
                raise RuntimeError(f"{server.title} did not start:\n{errors.read().decode(errors='replace')}")
            address = ("127.0.0.1", port)
            yield Target(server.name, address, context, pause=PAUSE, deadline=deadline, parallel=32)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
        except ConnectionRefusedError:
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            return False
        return True
    return False


def names(text: str) -> list[Server]:
    """Return the servers of a comma-separated list; ``all`` for all servers.

    :raises SystemExit: if a name is unknown.
    """
    wanted = list(SERVERS) if text == "all" else text.split(",")
    if unknown := set(wanted) - set(SERVERS):
        sys.exit(f"unknown server {', '.join(sorted(unknown))}; expected one of {', '.join(SERVERS)}")
    return [SERVERS[name] for name in wanted]
