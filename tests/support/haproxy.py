"""Debian's HAProxy, run with a given configuration in a separate folder."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.support.tools import need


class HAProxy:
    """A context manager that runs HAProxy in the foreground.

    :param folder: the folder for its configuration and its log.
    :param configuration: the text of the configuration.
    :param replacements: replacements in it, old text -> new text. Each old text must occur.
    :param port: the port to wait for.
    """

    def __init__(self, folder: Path, configuration: str, replacements: dict[str, str], port: int) -> None:
        self._program = need("haproxy", "haproxy")
        for old, new in replacements.items():
            assert old in configuration, f"nothing to replace: {old!r}"
            configuration = configuration.replace(old, new)
        self._file = folder / "haproxy.test.cfg"
        self._file.write_text(configuration, encoding="utf-8")
        self._log = folder / "haproxy.log"
        self.port = port

    def check(self) -> str:
        """Return the warnings and errors of ``haproxy -c``, which checks the configuration."""
        done = subprocess.run(
            [self._program, "-c", "-q", "-f", str(self._file)], capture_output=True, text=True, timeout=30
        )
        return done.stdout + done.stderr

    def wait_for(self, text: str) -> None:
        """Wait until the log contains a text."""
        end = time.monotonic() + 60
        while text not in self._log.read_text(encoding="utf-8"):
            assert time.monotonic() < end, self._log.read_text(encoding="utf-8")
            select.select([], [], [], 0.01)

    def __enter__(self) -> HAProxy:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, "-db", "-f", str(self._file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
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
                assert time.monotonic() < end, f"HAProxy is not listening:\n{self._log.read_text()}"
            else:
                raise AssertionError(f"HAProxy exited with status {status}:\n{self._log.read_text()}")

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


__all__ = ["HAProxy"]
