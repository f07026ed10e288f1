"""A WebSocket server whose scripts determine each byte that it sends, so that output may be invalid."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tornado._wire import ws_connection
from tornado._wire.ws_handshake import accept_value

Script = Callable[["Visitor"], Awaitable[object]]


class Visitor:
    """A connection of the server, after the head of its request."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, self.version = line.split(" ")
        pairs = (field.split(":", 1) for field in fields)
        self.headers = {name.lower(): value.strip() for name, value in pairs}
        self.reader = reader
        self.writer = writer
        self.core = ws_connection.WSConnection()
        self._events: list[Any] = []

    @property
    def key(self) -> str:
        return self.headers["sec-websocket-key"]

    def send(self, *parts: bytes | str) -> None:
        """Send bytes in one piece."""
        self.writer.write(b"".join(part.encode() if isinstance(part, str) else part for part in parts))

    def head(self, *fields: str, status: str = "101 Switching Protocols") -> bytes:
        """Return the head of a response with exactly these fields."""
        return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode("latin-1")

    def acceptance(self, *fields: str) -> bytes:
        """Return a valid response with additional fields."""
        accept = f"Sec-WebSocket-Accept: {accept_value(self.key)}"
        return self.head("Upgrade: websocket", "Connection: Upgrade", accept, *fields)

    def accept(self, *fields: str, then: bytes = b"") -> None:
        """Send a valid response, followed by `then` in the same piece."""
        self.send(self.acceptance(*fields), then)

    async def event(self) -> Any:
        """Return the client's next message or control frame; None at the end."""
        while not self._events:
            data = await self.reader.read(65536)
            if not data:
                return None
            self._events += self.core.receive_data(data)
        return self._events.pop(0)

    async def gone(self) -> bytes:
        """Return everything that the client sends until it closes the connection."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""


class ScriptedServer:
    """A server that runs its script for each connection; `visitors` are the connections.

    :ivar trust: the arguments with which `websocket_connect` trusts it.
    """

    def __init__(self, script: Script, tls: Any = None) -> None:
        self._script = script
        self._scheme = "wss" if tls else "ws"
        self.trust: dict[str, Any] = {"ca_certs": str(tls.ca_file)} if tls else {}
        self.visitors: list[Visitor] = []
        self.port = 0
        self.errors: list[BaseException] = []
        self._connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Return the URL of the WebSocket."""
        return f"{self._scheme}://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            visitor = Visitor(await reader.readuntil(b"\r\n\r\n"), reader, writer)
            self.visitors.append(visitor)
            await self._script(visitor)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._connections[task]

    async def end(self) -> None:
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections, return_exceptions=True)


@contextlib.asynccontextmanager
async def scripted(script: Script, tls: Any = None) -> AsyncIterator[ScriptedServer]:
    """Serve a script on a free port. An exception of the script fails the test."""
    server = ScriptedServer(script, tls)
    context = tls.server_context if tls else None
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.end()
        await listening.wait_closed()
    if server.errors:
        raise server.errors[0]
