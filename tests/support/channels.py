"""Clients of `tornado.channels.ChannelHandler` that send and receive single objects of its protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.support.server import Server, serving
from tests.support.websocket import Client, dial
from tornado import web
from tornado.channels import ChannelHandler, Hub, MemoryBroker
from tornado.channels._endpoint import Endpoint
from tornado.channels._session import Session

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


class ChannelServer:
    """A server with a `ChannelHandler` at ``/channels``."""

    def __init__(self, server: Server, hub: Hub) -> None:
        self.server = server
        self.hub = hub

    async def connect(self, *fields: str, **options: Any) -> SocketClient:
        """Open a WebSocket."""
        return SocketClient(await dial(self.server, "/channels", *fields, **options))

    @property
    def sessions(self) -> list[Session]:
        """The sessions of the server."""
        endpoint = self.hub.endpoint
        assert isinstance(endpoint, Endpoint)
        return list(endpoint.sessions.values())  # type: ignore[arg-type]  # no other class is used

    async def has_sessions(self, count: int) -> None:
        """Wait until the server has this number of sessions."""
        while len(self.sessions) != count:
            await asyncio.sleep(0)


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
