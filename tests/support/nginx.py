"""Debian's nginx, run with a given configuration in a separate folder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.support.tools import need

_SCRATCH = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def reserve() -> socket.socket:
    """Reserve a port for another process.

    The socket is bound with SO_REUSEADDR but does not listen: the other process can bind the port, and the
    kernel does not assign it to a third one.
    """
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


class Nginx:
    """A context manager that runs nginx in the foreground.

    :param folder: the folder for its configuration, logs and temporary files.
    :param configuration: the text of a complete ``nginx.conf``. The paths of temporary files are added, and
        the directive ``user`` is removed, because nginx runs as the user of the tests.
    :param replacements: replacements in the configuration, old text -> new text. Each old text must occur.
    :param port: the port to wait for.
    """

    def __init__(self, folder: Path, configuration: str, replacements: dict[str, str], port: int) -> None:
        self._program = need("nginx", "nginx-light")
        self._folder = folder
        self._original = configuration
        self._replacements = {
            "/run/nginx.pid": str(folder / "nginx.pid"),
            "/var/log/nginx/": f"{folder}/",
            **replacements,
        }
        self.port = port

    def _write(self, configuration: str) -> None:
        for old, new in self._replacements.items():
            assert old in configuration, f"nothing to replace: {old!r}"
            configuration = configuration.replace(old, new)
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = configuration.replace("user www-data;", user)
        scratch = "".join(f"\n    {kind}_temp_path {self._folder}/{kind};" for kind in _SCRATCH)
        configuration = configuration.replace("http {", "http {" + scratch, 1)
        (self._folder / "nginx.conf").write_text(configuration)

    def _command(self, *arguments: str) -> list[str]:
        folder = str(self._folder)
        own = ("-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log")
        return [self._program, *own, *arguments]

    def __enter__(self) -> Nginx:
        self._write(self._original)
        self._process = subprocess.Popen(
            self._command("-g", "daemon off;"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=30).close()
                return self
            except ConnectionRefusedError:
                pass
            try:
                status = self._process.wait(0.01)
            except subprocess.TimeoutExpired:
                assert time.monotonic() < end, f"nginx is not listening:\n{self.log()}"
            else:
                raise AssertionError(f"nginx exited with status {status}:\n{self.log()}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def check(self) -> str:
        """Return the output of ``nginx -t``, which checks the configuration."""
        done = subprocess.run(
            self._command("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, text=True
        )
        return done.stdout

    def reload(self, replacements: dict[str, str]) -> None:
        """Reload the configuration with changed replacements, like ``nginx -s reload``."""
        self._replacements.update(replacements)
        self._write(self._original)
        self._process.send_signal(signal.SIGHUP)

    def log(self) -> str:
        """Return the error log so far."""
        path = self._folder / "error.log"
        return path.read_text() if path.exists() else ""
