"""A server for tests of the HTTP client, which runs a script for each connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any


class Request:
    """A request as it was received."""

    def __init__(self, head: bytes, connection: int) -> None:
        self.head = head
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, self.version = line.split(" ")
        pairs = (field.split(":", 1) for field in fields)
        self.headers = {name.lower(): value.strip() for name, value in pairs}
        self.body = b""
        #: The number of its connection, starting from 1.
        self.connection = connection


class Visit:
    """One connection to the server, as passed to a script."""

    def __init__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.number = server.connections

    async def request(self) -> Request:
        """Read a complete request.

        :raises EOFError: if the client closes the connection.
        """
        request = Request(await self.reader.readuntil(b"\r\n\r\n"), self.number)
        if "content-length" in request.headers:
            request.body = await self.reader.readexactly(int(request.headers["content-length"]))
        elif request.headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                request.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        self.server.requests.append(request)
        return request

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def end(self) -> bytes:
        """Wait until the client closes the connection, and return the data that it has sent."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Reset the connection."""
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class ScriptedServer:
    """A server that runs a script for each connection.

    :ivar requests: the requests that the scripts have read.
    :ivar connections: the number of connections so far.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0
        self.tls = False
        self._script = script
        self._visits: dict[asyncio.Task[Any], Visit] = {}
        self._gone = asyncio.Event()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    @property
    def visits(self) -> list[Visit]:
        """The open connections."""
        return list(self._visits.values())

    @property
    def open(self) -> int:
        """The number of open connections."""
        return len(self._visits)

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        while self._visits:
            self._gone.clear()
            await self._gone.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._visits[task] = visit = Visit(self, reader, writer)
        try:
            await self._script(visit)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._visits[task]
            self._gone.set()

    def stop(self) -> list[asyncio.Task[Any]]:
        for visit in self._visits.values():
            visit.writer.transport.abort()
        return list(self._visits)


def answering(answer: bytes | str | Callable[[Request], bytes | str]) -> Script:
    """Return a script that responds to each request on a connection, until the client closes it."""

    async def script(visit: Visit) -> None:
        while True:
            request = await visit.request()
            visit.send(answer(request) if callable(answer) else answer)

    return script


@contextlib.asynccontextmanager
async def scripted(
    script: Script | bytes | str, tls: Any = None, path: str | None = None
) -> AsyncIterator[ScriptedServer]:
    """Run a server on an unused port, or on a Unix socket.

    :param script: the script to run for each connection, or the response to each request.
    :param tls: the fixture `certificates`, to use TLS.
    :param path: the path of the Unix socket.
    """
    server = ScriptedServer(answering(script) if isinstance(script, (bytes, str)) else script)
    context = tls.server_context if tls is not None else None
    server.tls = tls is not None
    if path is not None:
        listening: asyncio.Server = await asyncio.start_unix_server(server.serve, path, ssl=context)
    else:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
        server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.gather(*server.stop(), return_exceptions=True)
        await listening.wait_closed()
