"""A measured server in processes of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from compliance.serving.processes import kill_session, of_session, processes
from compliance.serving.servers import Options, Server
from compliance.serving.target import Target
from compliance.serving.waiting import PAUSE, until

#: The maximum time for a server to start, in seconds.
TIMEOUT = 30.0


class StartError(Exception):
    """Raised if a server does not start; the message is its output."""


class Running:
    """An asynchronous context manager that runs a server, and kills all its processes at the end.

    :param prefix: the command that runs the server's command, for example ``unshare``.
    :param source: the module of the program, instead of that of the server.
    :param waits: whether to wait until it answers.
    :param complete: whether to wait until all workers answer, whose process IDs are those of its namespace.
    :ivar last_output: the output, once the server has ended.
    :ivar target: its address.
    """

    def __init__(
        self,
        server: Server,
        options: Options | None = None,
        *,
        prefix: tuple[str, ...] = (),
        source: str | None = None,
        context: ssl.SSLContext | None = None,
        waits: bool = True,
        complete: bool = True,
    ) -> None:
        self.server = server
        self._prefix = prefix
        self._waits, self._complete = waits, complete
        self.last_output = ""
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        (self.folder / "app.py").write_text(source or server.peer.app.read_text())
        self._options = options or Options()
        self._reservation = socket.socket()
        if self._options.path is not None:
            self._options = dataclasses.replace(self._options, path=str(self.folder / self._options.path))
        elif not self._options.port:
            self._options = dataclasses.replace(self._options, port=self._reserve())
        self.target = Target(self._options.port, self._options.path, context)
        self._sessions: list[int] = []
        self._log = (self.folder / "log").open("wb")

    def _reserve(self) -> int:
        """Return a port that the kernel does not assign to others, but on which a server can listen."""
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self._reservation.setsockopt(socket.SOL_SOCKET, option, 1)
        self._reservation.bind(("127.0.0.1", 0))
        port: int = self._reservation.getsockname()[1]
        return port

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server, also a second time."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("WATERSPOUT_")
        }
        environment |= {"STORE": str(self.folder / "store"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [*self._prefix, str(self.server.peer.python()), *self.server.command(self._options)]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._sessions.append(self.process.pid)
        return self.process

    async def __aenter__(self) -> Running:
        try:
            self.start()
            if self._waits:
                await self.until_answering()
            if self._waits and self._complete:
                await self.until_complete()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in self._sessions:
            kill_session(session)
        self.process.wait()
        self._reservation.close()
        self._log.close()
        self.last_output = self.output()
        if keep := os.environ.get("SERVING_LOGS"):
            shutil.copy(self.folder / "log", f"{keep}/{self.server.peer.name}-{self.process.pid}.log")
        self._folder.cleanup()

    def output(self) -> str:
        """Return the output so far."""
        return (self.folder / "log").read_text(errors="replace")

    # -- requests --

    async def ask(self, path: str = "/", timeout: float = TIMEOUT) -> bytes:
        """Send a request on a new connection, and return the body of the response.

        :raises OSError: if there is no complete response.
        """
        async with asyncio.timeout(timeout):
            reader, writer = await self.target.open()
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                head, end, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        if not end or not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionAbortedError(f"no complete response: {head!r}")
        return body

    async def until_answering(self, timeout: float = TIMEOUT) -> None:
        """Wait for the first response."""
        end = time.monotonic() + timeout
        while True:
            try:
                await self.ask()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise StartError(self.output()) from None
                await asyncio.sleep(PAUSE)

    async def answering(self) -> int:
        """Return the ID of the process that answers a new connection."""
        return await self.answering_within(TIMEOUT)

    async def answering_within(self, timeout: float) -> int:
        """Return the ID of the process that answers a new connection within `timeout` seconds."""
        return int((await self.ask("/", timeout)).split()[1])

    async def until_complete(self) -> set[int]:
        """Wait until as many processes as there are workers have answered, and return their IDs."""
        found: set[int] = set()
        end = time.monotonic() + TIMEOUT
        while len(found) < self._options.workers and time.monotonic() < end:
            # Several connections at once, because an idle worker is often the same one.
            answers = await asyncio.gather(*(self.answering() for _ in range(8)), return_exceptions=True)
            found |= {each for each in answers if isinstance(each, int)}
        return found

    # -- processes --

    @property
    def main(self) -> int:
        """The process ID of the supervisor."""
        if not self._prefix:
            return self.process.pid
        return next(each.pid for each in processes() if each.parent == self.process.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.main, number)

    async def until_ended(self, timeout: float) -> float | None:
        """Wait until all processes have ended; return the seconds, or None if some still run."""
        return await until(lambda: self.process.poll() is not None and not self.remaining(), timeout)

    def remaining(self) -> set[int]:
        """Return the processes of the server that run."""
        return {each.pid for session in self._sessions for each in of_session(session)}

    @property
    def status(self) -> int | None:
        """The exit status, or None if it runs."""
        return self.process.poll()
