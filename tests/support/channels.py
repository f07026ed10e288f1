"""Clients of `tornado.channels.ChannelHandler` that send and receive single objects of its protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.server import Peer, Response, Server, serving
from tests.support.websocket import Client, dial
from tornado import web
from tornado._wire import sse
from tornado.channels import BrokerUnavailableError, ChannelHandler, Hub, MemoryBroker
from tornado.channels._endpoint import Endpoint

#: The header field of requests with POST.
JSON = "Content-Type: application/json"
PATTERN = r"/channels(?:/(.*))?"


class Open(ChannelHandler):
    """A handler that permits everything."""

    def authorize_publish(self, channel: str) -> bool:
        return True

    def authorize_presence(self, channel: str) -> bool:
        return True


class SocketClient:
    """A client with a WebSocket."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, **request: Any) -> None:
        """Send a request."""
        self.client.send(json.dumps(request))

    async def receive(self) -> dict[str, Any]:
        """Return the next object."""
        event = await self.client.event()
        assert isinstance(event, str), event
        found: dict[str, Any] = json.loads(event)
        return found

    async def receive_type(self, kind: str) -> dict[str, Any]:
        """Return the next object of a type; discard those before it."""
        while (found := await self.receive())["type"] != kind:
            pass
        return found

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request, and return its reply; discard what is received before it."""
        self.send(**{"id": "ask", **request})
        while (found := await self.receive()).get("id") != request.get("id", "ask"):
            pass
        return found

    async def subscribe(self, channel: str, **members: Any) -> str:
        """Subscribe to a channel. Return the position."""
        reply = await self.ask(type="subscribe", channel=channel, **members)
        assert reply["type"] == "subscribed", reply
        position: str = reply["position"]
        return position

    async def closed(self) -> tuple[int | None, str]:
        """Return the close code and the reason; discard what is received before it."""
        while isinstance(event := await self.client.event(), str):
            assert "end of the stream" not in event
        return event.code, event.reason


class StreamClient:
    """A client with an event stream."""

    def __init__(self, peer: Peer, response: Response) -> None:
        self.peer = peer
        self.response = response
        self.parser = sse.Parser()
        is_compressed = response.get("content-encoding") == "gzip"
        self._inflater = zlib.decompressobj(31) if is_compressed else None

    async def event(self) -> sse.Event | None:
        """Return the next event, or None at the end of the stream."""
        while (event := self.parser.next_event()) is None:
            size = int((await self.peer.reader.readuntil(b"\r\n")).partition(b";")[0], 16)
            data = (await self.peer.reader.readexactly(size + 2))[:-2]
            self.parser.receive_data(data if self._inflater is None else self._inflater.decompress(data))
            if not size:
                return None
        return event

    async def receive(self) -> dict[str, Any]:
        """Return the object in the next event."""
        event = await self.event()
        assert event is not None
        found: dict[str, Any] = json.loads(event.data)
        return found


class ChannelServer:
    """A server with a `ChannelHandler` at ``/channels``."""

    def __init__(self, server: Server, hub: Hub) -> None:
        self.server = server
        self.hub = hub

    async def connect(self, *fields: str, **options: Any) -> SocketClient:
        """Open a WebSocket."""
        return SocketClient(await dial(self.server, "/channels", *fields, **options))

    async def stream(self, *fields: str, **request: Any) -> StreamClient:
        """Open an event stream with POST."""
        peer = await self.server.connect()
        body = json.dumps({"type": "stream", **request}).encode()
        peer.get("/channels", JSON, *fields, method="POST", body=body)
        return await accepted_stream(peer)

    async def post(self, *fields: str, **request: Any) -> Response:
        """Send a request with POST on a connection of its own."""
        return await self.server.fetch(
            "/channels", JSON, *fields, method="POST", body=json.dumps(request).encode()
        )

    async def poll(self, **request: Any) -> list[dict[str, Any]]:
        """Send a poll. Return the messages of the response."""
        response = await self.post(type="poll", **request)
        assert response.code == 200, (response.head, response.body)
        messages: list[dict[str, Any]] = json.loads(response.body)["messages"]
        return messages

    @property
    def sessions(self) -> list[Any]:
        """The sessions of the server."""
        endpoint = self.hub.endpoint
        return list(endpoint.sessions.values()) if isinstance(endpoint, Endpoint) else []

    async def has_sessions(self, count: int) -> None:
        """Wait until the server has this number of sessions."""
        while len(self.sessions) != count:
            await asyncio.sleep(0)


async def accepted_stream(peer: Peer) -> StreamClient:
    """Return the client of a stream after the head of the response."""
    head = await peer.reader.readuntil(b"\r\n\r\n")
    response = Response(head[:-2], b"")
    if response.code != 200:
        response.body = await peer.reader.readexactly(int(response.get("content-length")))
    assert response.code == 200, (head, response.body)
    return StreamClient(peer, response)


@contextlib.asynccontextmanager
async def serving_channels(
    handler: type[ChannelHandler] = Open, hub: Hub | None = None, **settings: Any
) -> AsyncIterator[ChannelServer]:
    """Serve the channels of a hub; by default of one in memory."""
    hub = hub or Hub(MemoryBroker())
    async with hub:
        application = web.Application([(PATTERN, handler, {"hub": hub})], **settings)
        async with serving(application) as server:
            yield ChannelServer(server, hub)


def streams_of(hub: Hub) -> Any:
    """Return the streams of a hub with a `NATSBroker`."""
    return broker_streams(hub.broker)


def broker_streams(broker: Any) -> Any:
    """Return the streams of a `NATSBroker`."""
    return broker._streams


def broker_connection(broker: Any) -> Any:
    """Return the connection of a `NATSBroker`."""
    return broker._connection


def fail_to_delete(monkeypatch: pytest.MonkeyPatch, broker: Any, stream: str) -> None:
    """Let a `NATSBroker` fail to delete a stream."""
    original = broker._streams._delete

    async def delete(context: Any, name: str) -> None:
        if name == stream:
            raise BrokerUnavailableError("no response")
        await original(context, name)

    monkeypatch.setattr(broker._streams, "_delete", delete)


def known_streams(hub: Hub) -> set[str]:
    """Return the channels whose streams a hub with a `NATSBroker` knows."""
    return set(hub.broker._known)  # type: ignore[attr-defined]


def silence(hub: Hub) -> None:
    """Let the time pass after which the channels of patterns without messages are reduced to their positions.

    Two calls are needed, between which there was no message.
    """
    patterns = hub._patterns
    assert patterns._sweeper is not None
    patterns._sweeper.cancel()
    patterns._sweep()


def known_positions(hub: Hub) -> set[str]:
    """Return the channels whose positions the patterns of a hub know."""
    return set(hub._patterns._positions)
