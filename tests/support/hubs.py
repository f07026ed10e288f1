"""Receivers of hubs whose broker is a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tornado.channels import Gap, Hub, Message, Position


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition is true; the deadline is that of the test."""
    while not condition():
        await asyncio.sleep(0.005)


class Receiver:
    """Collects the data of messages, and gaps."""

    def __init__(self) -> None:
        self.got: list[object] = []
        self.messages: list[Message] = []

    def deliver(self, items: Sequence[Message | Gap]) -> None:
        self.got += [each if isinstance(each, Gap) else each.data for each in items]
        self.messages += [each for each in items if isinstance(each, Message)]


async def attach(hub: Hub, channel: str, since: Position | None = None) -> Receiver:
    """Return a receiver whose subscription is established."""
    receiver = Receiver()
    hub.attach(channel, receiver, since)
    await until(lambda: hub.position(channel) is not None)
    return receiver


@asynccontextmanager
async def attached(hub: Hub, channel: str, since: Position | None = None) -> AsyncIterator[Receiver]:
    """A receiver whose subscription is established, and ends with the block."""
    receiver = await attach(hub, channel, since)
    yield receiver
    hub.detach(channel, receiver)
