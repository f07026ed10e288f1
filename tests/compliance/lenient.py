"""A lenient server, like naive implementations: it accepts everything that can be interpreted in any way.

It shows that the corpus detects leniency.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from compliance.http1.apps.echo import describe


class Head:
    """A request line split at whitespace, and fields split at colons; the last field with a name is used."""

    def __init__(self, line: str) -> None:
        words = line.split()
        self.method, self.target = words[0], words[1]
        self.version = words[2] if len(words) > 2 else "HTTP/1.1"
        self.fields: dict[str, str] = {}

    def add(self, line: str) -> None:
        """Parse a field line."""
        name, _, value = line.partition(":")
        self.fields[name.strip().lower()] = value.strip()


async def _body(reader: asyncio.StreamReader, head: Head) -> bytes:
    if "chunked" in head.fields.get("transfer-encoding", "").lower():
        body = b""
        while size := int((await reader.readline()).decode("latin-1").split(";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        while (await reader.readline()).strip():
            pass
        return body
    return await reader.readexactly(int(head.fields.get("content-length", "0").split(",")[-1] or 0))


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        line = (await reader.readline()).decode("latin-1")
        if not line:
            return
        if not line.strip():
            continue
        head = Head(line)
        while field := (await reader.readline()).decode("latin-1").strip():
            head.add(field)
        body = await _body(reader, head)
        text = describe(
            head.method, head.target, head.version, head.fields.get("host"), head.fields.items(), body
        )
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        if head.fields.get("connection") == "close":
            return


async def _serve_or_refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await _serve(reader, writer)
    except (ValueError, IndexError, asyncio.IncompleteReadError):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[tuple[str, int]]:
    """Run a server that calls `talk` for each connection and then closes it; yield its address."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**24)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


def serving_leniently() -> AbstractAsyncContextManager[tuple[str, int]]:
    """Run the lenient server, and yield its address."""
    return talking(_serve_or_refuse)
