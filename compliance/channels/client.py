"""A client of the random test: a user with `tornado.channels.connect`, and the checks of what it receives."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Set
from typing import Any

from compliance.channels.record import Record, Track
from tornado.channels import (
    ChannelClient,
    ChannelRequestError,
    Gap,
    Message,
    Position,
    PresenceChange,
    PublishError,
    connect,
)
from tornado.channels._client_state import ClientState

TRANSPORTS = ("websocket", "stream", "poll")


class CheckedState(ClientState):
    """Checks the objects of the server before the client removes repetitions."""

    def __init__(self, user: User) -> None:
        super().__init__(max_items=sys.maxsize)  # a subscription that falls behind would begin again
        self._user = user

    def receive(self, found: dict[str, Any]) -> None:
        """See `ClientState.receive`."""
        if self._user.state is self:  # otherwise the client has been replaced and is being closed
            subscription = self.subscriptions.get(found.get("channel", ""))
            # Until the reply to a repeated request, this object belongs to the earlier subscription.
            is_earlier = subscription is not None and subscription.awaited not in (None, "", found.get("id"))
            if subscription is not None and not (
                is_earlier and found["type"] in ("subscribed", "message", "gap")
            ):
                self._user.receive(found)
            super().receive(found)


class User:
    """A client that connects to one worker after the other, and continues at its positions.

    :param member: its name in the presence of channels; several clients may have the same.
    :param channels: its channels.
    :param is_present: whether it is present in its channels.
    :param watches: whether it observes the members of its channels.
    """

    def __init__(
        self,
        number: int,
        member: str,
        transport: str,
        channels: list[str],
        record: Record,
        *,
        is_present: bool = False,
        watches: bool = False,
    ) -> None:
        self.number = number
        self.member = member
        self.transport = transport
        self.is_present = is_present
        self.watches = watches
        self.name = f"client {number} ({transport})"
        self.tracks = {channel: Track(self.name, channel, record) for channel in channels}
        self.url: str | None = None
        self.state: ClientState | None = None
        self._record = record
        self._client: ChannelClient | None = None
        self._task: asyncio.Task[None] | None = None
        #: The positions that the server has sent and that the iteration has not returned.
        self._expected: deque[tuple[str, Position]] = deque()
        self._end: set[asyncio.Task[None]] = set()

    def connect(self, url: str) -> None:
        """Connect to a worker instead of the present one."""
        self.disconnect()
        self.url = url
        client = connect(url, transports=[self.transport], token=self.member)
        client.state = self.state = CheckedState(self)
        self._client = client
        self._expected = deque()
        self._task = asyncio.ensure_future(self._use(client))

    def disconnect(self) -> None:
        """Close the connection."""
        task, self._task = self._task, None
        client, self._client = self._client, None
        self.url = self.state = None
        if task is not None and client is not None:
            closing = asyncio.ensure_future(_close(task, client))
            self._end.add(closing)
            closing.add_done_callback(self._end.discard)

    async def close(self) -> None:
        """Close the connection, and wait until it is closed."""
        self.disconnect()
        await asyncio.gather(*self._end)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client is not None and self._client.is_connected

    def describe(self) -> str:
        """Return the state for problems."""
        return f"{self._client!r}"

    def members(self, channel: str, ignored: Set[int]) -> dict[str, list[int]]:
        """Return the members of a channel with the data of their connections, which are numbers."""
        if self._client is None:
            return {}
        members = {
            name: sorted(number for number in connections.values() if number not in ignored)
            for name, connections in self._client.members(channel).items()
        }
        return {name: numbers for name, numbers in members.items() if numbers}

    async def publish(self, channel: str, data: Any, timeout: float) -> None:
        """Publish a message, and note its position if it is confirmed."""
        client = self._client
        if client is None:
            return
        try:
            position = await client.publish(channel, data, timeout=timeout)
        except PublishError:
            return
        except ChannelRequestError as error:
            if error.code != "closed":
                self._record.fail(f"{self.name}: publish: {error}")
        else:
            self._record.confirm(channel, position, data)

    async def _use(self, client: ChannelClient) -> None:
        try:
            async with client:
                for channel, track in self.tracks.items():
                    options: dict[str, Any] = {"join": self.number} if self.is_present else {}
                    await client.subscribe(channel, track.position, watch=self.watches, **options)
                async for item in client:
                    if self._client is client:
                        self._check(item)
        except ChannelRequestError as error:
            if error.code != "closed":
                self._record.fail(f"{self.name}: {error}")

    def receive(self, found: dict[str, Any]) -> None:
        """Check an object of the server."""
        track = self.tracks.get(found.get("channel", ""))
        if track is None:
            return
        track.receive(found)
        if found["type"] == "gap" or (found["type"] == "message" and "position" in found):
            assert track.position is not None  # that of the message
            self._expected.append((track.channel, track.position))

    def _check(self, item: object) -> None:
        """Check that the iteration returns what the server has sent."""
        if isinstance(item, PresenceChange):
            return
        if isinstance(item, Gap):
            found = item.until
        elif isinstance(item, Message):
            if item.position is None:
                return
            found = item.position
        else:
            self._record.fail(f"{self.name}: received {item}")
            return
        expected = self._expected.popleft()
        if expected != (item.channel, found):
            self._record.fail(f"{self.name}: the iteration returned {item}, not {expected}")


async def _close(task: asyncio.Task[None], client: ChannelClient) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()


__all__ = ["TRANSPORTS", "User"]
