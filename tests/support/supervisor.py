"""Services with a supervisor and worker processes, for tests that send signals to them."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import select
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.program import PYTHON
from tests.support.serve import Served, write_module

#: A program whose handlers return their process ID, block the event loop, wait, or allocate memory.
PROGRAM = """
import asyncio
import os
import time

from tornado import web

VERSION = "1"


class Process(web.RequestHandler):
    def get(self):
        self.set_header("Version", VERSION)
        self.write(str(os.getpid()))


class Block(web.RequestHandler):
    def get(self):
        print("blocking", flush=True)
        time.sleep(float(self.get_argument("seconds")))


class Wait(web.RequestHandler):
    async def get(self):
        print("waiting", flush=True)
        await asyncio.sleep(float(self.get_argument("seconds")))
        self.write("waited")


class Allocate(web.RequestHandler):
    kept = []

    def get(self):
        self.kept.append(b"x" * int(self.get_argument("size")))


application = web.Application(
    [("/", Process), ("/block", Block), ("/wait", Wait), ("/allocate", Allocate)]
)
"""


class SupervisedService(Served):
    """A context manager that runs `PROGRAM`, or another one, with ``python -m tornado serve``.

    :param options: further options of the command.
    :param source: the module of the program.
    :param wrapper: arguments of the interpreter that come before those of the command.
    :ivar number: its TCP port.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        source: str = PROGRAM,
        wrapper: Sequence[str] = (),
        **arguments: object,
    ) -> None:
        write_module(folder, source)
        self._folder = folder
        words = [*wrapper, "-m", "tornado", "serve", "app", "--access-log=off"]
        if not any(option.startswith("--bind=") for option in options):
            words.append("--bind=127.0.0.1:0")
        words += options
        super().__init__(folder, words, **arguments)  # type: ignore[arg-type]
        self.number = 0

    def __enter__(self) -> SupervisedService:
        try:
            self.number = self.port()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def change(self, source: str) -> None:
        """Change the program. The size differs, so that a cached compilation is not used."""
        write_module(self._folder, source + "\n" * (os.stat(self._folder / "app.py").st_size % 7 + 1))

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection, which the caller closes."""
        return http.client.HTTPConnection("127.0.0.1", self.number, timeout=60)

    def get(self, path: str = "/") -> str:
        """Send a request on a new connection, and return the body of the response."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            assert response.status == 200
            return response.read().decode()

    def worker(self) -> int:
        """Return the process ID of a worker."""
        return int(self.get())

    @contextlib.contextmanager
    def kept_connection(self, pid: int) -> Iterator[http.client.HTTPConnection]:
        """Yield a connection to a worker that runs `PROGRAM`."""
        with contextlib.ExitStack() as stack:
            while True:
                connection = stack.enter_context(contextlib.closing(self.connect()))
                connection.request("GET", "/")
                if int(connection.getresponse().read()) == pid:
                    break
            yield connection

    @contextlib.contextmanager
    def sending(self, path: str, output: str) -> Iterator[http.client.HTTPConnection]:
        """Send a request without waiting for the response, until the program has printed a line."""
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path)
            self.wait_for(output)
            yield connection

    def reload(self) -> str:
        """Send SIGHUP, and return the log line that ends the reload."""
        self.signal(signal.SIGHUP)
        return self.wait_for(r"reload (complete|failed).*")[0]

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the status."""
        self.signal(signal.SIGTERM)
        return self.end()


def children(pid: int) -> set[int]:
    """Return the process IDs of the children of a process, without those that have ended."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return set(filter(_is_running, map(int, path.read_text(encoding="ascii").split())))


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


@contextlib.contextmanager
def watching(pid: int) -> Iterator[select.poll]:
    """Yield an object whose ``poll`` waits for the end of a process that is not a child of this one."""
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        yield poll
    finally:
        os.close(descriptor)


def ends(pid: int, timeout: float = 60.0) -> bool:
    """Wait for the end of a process that is not a child of this one. Return False after the timeout."""
    try:
        with watching(pid) as poll:
            return bool(poll.poll(timeout * 1000))
    except ProcessLookupError:
        return True


class ServiceManager:
    """A stand-in for systemd: the socket that a service notifies."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(60)

    def __enter__(self) -> ServiceManager:
        return self

    def __exit__(self, *unused: object) -> None:
        self._socket.close()

    def wait_for(self, pattern: str) -> str:
        """Return the first message that contains a match of the regular expression."""
        while True:
            message = self._socket.recv(4096).decode()
            if re.search(pattern, message):
                return message


__all__ = ["PROGRAM", "PYTHON", "ServiceManager", "SupervisedService", "children", "ends", "watching"]
