"""A server that sends responses chosen by the test, on persistent connections."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable


class Request:
    """A request as it was received."""

    def __init__(self, head: bytes, connection: int) -> None:
        line, *fields = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, self.version = line.split(" ")
        pairs = [field.split(":", 1) for field in fields]
        self.fields = [(name.lower(), value.strip()) for name, value in pairs]
        self.headers = dict(self.fields)
        self.body = b""
        #: The number of its connection, starting from 1.
        self.connection = connection


Answer = Callable[[Request], bytes | None]


def response(body: bytes = b"ok", status: str = "200 OK", *fields: str) -> bytes:
    """Return a response with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Server:
    """A server that calls a function for the response to each request; None sends no response.

    :ivar requests: the requests received.
    """

    def __init__(self, answer: Answer, last: bool) -> None:
        self.answer = answer
        self.last = last
        self.requests: list[Request] = []
        self.connections = 0
        self.scheme = "http"
        self.port = 0
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        self.connections += 1
        connection = self.connections
        try:
            while True:
                request = Request(await reader.readuntil(b"\r\n\r\n"), connection)
                if request.headers.get("expect") == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.body = await _body(request, reader)
                self.requests.append(request)
                answer = self.answer(request)
                if answer is None:
                    await reader.read()
                    return
                writer.write(answer)
                await writer.drain()
                if self.last:
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            # wait_closed() never returns for a TLS transport that was aborted during its shutdown.
            if self.scheme == "http":
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            del self._tasks[task]

    async def end(self) -> None:
        for writer in self._tasks.values():
            writer.transport.abort()
        await asyncio.gather(*self._tasks)


async def _body(request: Request, reader: asyncio.StreamReader) -> bytes:
    if "content-length" in request.headers:
        return await reader.readexactly(int(request.headers["content-length"]))
    body = b""
    if request.headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readuntil(b"\r\n")
        await reader.readuntil(b"\r\n")
    return body


@contextlib.asynccontextmanager
async def scripted(
    answer: Answer, context: ssl.SSLContext | None = None, last: bool = False
) -> AsyncIterator[Server]:
    """Run a `Server`, with TLS if `context` is not None.

    :param last: whether to close each connection after the first response.
    """
    server = Server(answer, last)
    if context is not None:
        server.scheme = "https"
    listener = await asyncio.start_server(server._serve, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.end()
