"""A WebSocket client that sends arbitrary data and returns each event, and handlers that record events."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

from tests.support.server import Peer, Response, Server, serving
from tornado import web, websocket
from tornado._wire import ws_connection, ws_handshake
from tornado._wire.ws_deflate import DeflatePolicy
from tornado._wire.ws_frames import serialize_frame
from tornado.httputil import HTTPHeaders

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
#: The header fields of a handshake, for tests that change them.
FIELDS = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {KEY}",
)
#: The result of `Client.event` after the server has closed the stream.
END = "the end of the stream"
#: The result of `Client.event` if the server closed the stream with unread data.
RESET = "a reset"


class Client:
    """The client side of an open connection."""

    def __init__(self, peer: Peer, response: Response, core: ws_connection.WSConnection) -> None:
        self.peer = peer
        self.response = response
        self.core = core
        self._events: list[Any] = []

    def send(self, *messages: str | bytes) -> None:
        """Send messages in one piece; bytes are sent as binary messages."""
        frames = [self.core.message(message, isinstance(message, bytes)) for message in messages]
        self.peer.send(b"".join(frames))

    def raw(self, data: bytes) -> None:
        """Send arbitrary bytes."""
        self.peer.send(data)

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a close frame."""
        self.peer.send(self.core.close(code, reason))

    def drop(self) -> None:
        """Reset the connection."""
        sock = self.peer.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.writer.transport.abort()

    def leave(self) -> None:
        """Close the connection without a close frame."""
        self.peer.writer.close()

    def stop_reading(self) -> None:
        """Pause reading from the server."""
        self.peer.writer.transport.pause_reading()  # type: ignore[attr-defined]

    def read_on(self) -> None:
        """Resume reading after `stop_reading`."""
        self.peer.writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def event(self) -> Any:
        """Return the next message or control frame; `END` or `RESET` after the last one."""
        while not self._events:
            try:
                data = await self.peer.reader.read(65536)
            except ConnectionError:
                # asyncio keeps what was received before a reset, but raises the error first.
                unread: bytearray = self.peer.reader._buffer  # type: ignore[attr-defined]
                data = bytes(unread)
                unread.clear()
                if not data:
                    return RESET
            if not data:
                return END
            self._events += self.core.receive_data(data)
            while self.core.pending:
                self._events += self.core.receive_data(b"")
        return self._events.pop(0)

    async def events(self) -> list[Any]:
        """Return all events until the end of the stream."""
        found = []
        while (event := await self.event()) is not END:
            assert event is not RESET, found
            found.append(event)
        return found


async def dial(
    server: Server,
    path: str = "/",
    *fields: str,
    first: tuple[str | bytes, ...] = (),
    policy: DeflatePolicy | None = None,
) -> Client:
    """Open a WebSocket.

    :param first: messages sent in one piece with the handshake.
    """
    core = ws_connection.WSConnection(ws_connection.WSLimits(max_message_size=2**26), lambda: os.urandom(4))
    peer = await server.connect()
    wanted = ws_handshake.request_headers(KEY, policy=policy)
    lines = [*[f"{name}: {value}" for name, value in wanted], *fields]
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
    peer.send(head + b"".join(core.message(each, isinstance(each, bytes)) for each in first))
    response = await peer.response()
    assert response.code == 101, (response.head, response.body)
    headers = HTTPHeaders()
    for name, value in response.headers:
        headers.add(name, value)
    offered = tuple(
        each.strip() for field in fields if "Protocol" in field for each in field.partition(":")[2].split(",")
    )
    _, parameters = ws_handshake.check_response(101, headers, KEY, offered, policy)
    if parameters is not None and policy is not None:
        core = ws_connection.WSConnection(
            ws_connection.WSLimits(max_message_size=2**26), lambda: os.urandom(4), parameters, policy
        )
    return Client(peer, response, core)


def masked(first: int, payload: bytes) -> bytes:
    """Return a masked frame with this first byte and this unmasked payload."""
    return serialize_frame(first, payload, b"abcd")


@contextlib.asynccontextmanager
async def opened(
    handler: type[websocket.WebSocketHandler], *fields: str, tls: Any = None, **settings: Any
) -> AsyncIterator[Client]:
    """Connect a client to a server with this handler; `settings` are those of the application."""
    async with serving(web.Application([("/", handler)], **settings), tls=tls) as server:
        yield await dial(server, "/", *fields)


class Recorder(websocket.WebSocketHandler):
    """A handler that records events in `happened`; `until` waits for one of them."""

    happened: list[Any]
    latest: Recorder
    _changed: asyncio.Event

    @classmethod
    def new(cls, **members: Any) -> Any:
        """Create a subclass for one test with these methods and attributes."""
        made = type("Handler", (cls,), {"happened": [], "_changed": asyncio.Event(), **members})
        made.note = classmethod(_note)
        return made

    @classmethod
    async def until(cls, event: Any) -> None:
        """Wait until `event` has happened."""
        while event not in cls.happened:
            cls._changed.clear()
            await cls._changed.wait()

    def open(self, *args: Any, **kwargs: Any) -> Any:
        type(self).latest = self
        self.note("open")

    def on_message(self, message: str | bytes) -> Any:
        self.note(message)

    def on_ping(self, data: bytes) -> Any:
        self.note(("ping", data))

    def on_pong(self, data: bytes) -> Any:
        self.note(("pong", data))

    def on_close(self) -> Any:
        self.note(("close", self.close_code, self.close_reason))

    def note(self, event: Any) -> None:
        """Record an event; replaced by `new`."""


class Echo(websocket.WebSocketHandler):
    """A handler that returns each message to the client."""

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def _note(cls: type[Recorder], event: Any) -> None:
    cls.happened.append(event)
    cls._changed.set()
