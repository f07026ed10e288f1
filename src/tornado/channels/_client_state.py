"""`ClientState`: what a client of the channel protocol knows, without input and output."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tornado.channels._errors import ChannelError
from tornado.channels._presence import PresenceChange
from tornado.channels._values import Gap, Message, Position

#: The errors after which a request is repeated.
_TEMPORARY = ("unavailable", "rate", "internal")


class ChannelRequestError(ChannelError):
    """Raised if the server refuses a request.

    :ivar code: the code of the error in the channel protocol, such as ``"forbidden"``.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class SubscriptionEnd:
    """The end of a subscription by the server.

    :ivar channel: the name of the channel.
    :ivar code: the reason, such as ``"revoked"`` or ``"forbidden"``.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    channel: str
    code: str


Item: TypeAlias = Message | Gap | PresenceChange | SubscriptionEnd


@dataclass(slots=True)
class ClientSubscription:
    """A channel of a client.

    :ivar options: the members ``join`` and ``watch`` of the subscription.
    :ivar position: the position of the last item; None before the first ``subscribed``.
    :ivar confirmed: done when the server has confirmed the subscription for the first time.
    :ivar version: the version of the members that a polling client has.
    :ivar awaited: the ID of the request whose reply begins this subscription; messages before it belong to an
        earlier subscription to the channel. It is empty for requests over HTTP, and None after the reply.
    """

    channel: str
    options: dict[str, Any]
    confirmed: asyncio.Future[None]
    position: Position | None = None
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: str | None = None
    awaited: str | None = ""

    def request(self) -> dict[str, Any]:
        """Return the request for a WebSocket, and await its reply."""
        self.awaited = os.urandom(8).hex()
        return {"type": "subscribe", "id": self.awaited, **self._members()}

    def request_over_http(self, *, is_poll: bool) -> dict[str, Any]:
        """Return the subscription for a request of a new stream or poll."""
        self.awaited = ""
        return self._members(is_poll)

    def _members(self, is_poll: bool = False) -> dict[str, Any]:
        members: dict[str, Any] = {"channel": self.channel, **self.options}
        if self.position is not None:
            members["position"] = str(self.position)
        if is_poll and self.version is not None and members.get("watch"):
            members["watch"] = self.version
        return members


class ClientState:
    """The subscriptions of a client, its unconfirmed requests, and the items that the program has not read.

    :ivar subscriptions: the subscriptions by channel.
    :ivar unconfirmed: the publications without a reply, by ID, in their order.
    :ivar items: the items to read.
    :ivar arrived: set when an item has been added.
    :ivar retry: the number of seconds after which to repeat what was refused; None if there is nothing.
    """

    def __init__(self) -> None:
        self.subscriptions: dict[str, ClientSubscription] = {}
        self.unconfirmed: dict[str, tuple[dict[str, Any], asyncio.Future[Position | None]]] = {}
        self.items: deque[Item] = deque()
        self.arrived: asyncio.Event = asyncio.Event()
        self.retry: float | None = None

    def requests(self) -> Iterator[dict[str, Any]]:
        """Return the subscriptions for the requests of a new WebSocket."""
        return (each.request() for each in self.subscriptions.values())

    def requests_over_http(self, *, is_poll: bool = False) -> list[dict[str, Any]]:
        """Return the subscriptions for a new stream or poll."""
        return [each.request_over_http(is_poll=is_poll) for each in self.subscriptions.values()]

    def _current(self, found: dict[str, Any]) -> ClientSubscription | None:
        """Return the subscription to which an event belongs, or None if it belongs to an earlier one."""
        subscription = self.subscriptions.get(found["channel"])
        return None if subscription is None or subscription.awaited else subscription

    def discard(self, channel: str) -> None:
        """Remove the items of an earlier subscription to a channel that the program has not read."""
        self.items = deque(each for each in self.items if each.channel != channel)

    def receive(self, found: dict[str, Any]) -> None:
        """Process an object of the server. Unknown types are ignored."""
        process = _PROCESS.get(found.get("type", ""))
        if process is not None:
            process(self, found)

    def _add(self, item: Item) -> None:
        self.items.append(item)
        self.arrived.set()

    def _on_message(self, found: dict[str, Any]) -> None:
        subscription = self._current(found)
        if subscription is None:
            return
        position = None
        if "position" in found:
            position, last = Position.parse(found["position"]), subscription.position
            if last is not None and last.epoch == position.epoch and position.offset <= last.offset:
                return  # a repetition
            subscription.position = position
        payload = json.dumps(found["data"], ensure_ascii=False, separators=(",", ":")).encode()
        self._add(Message(subscription.channel, payload, position, found.get("key")))

    def _on_gap(self, found: dict[str, Any]) -> None:
        subscription = self._current(found)
        if subscription is not None:
            after, until = Position.parse(found["after"]), Position.parse(found["until"])
            subscription.position = until
            self._add(Gap(subscription.channel, after, until))

    def _on_subscribed(self, found: dict[str, Any]) -> None:
        subscription = self.subscriptions.get(found["channel"])
        if subscription is not None and subscription.awaited in ("", found.get("id")):
            subscription.awaited = None
            subscription.position = Position.parse(found["position"])
            if not subscription.confirmed.done():
                subscription.confirmed.set_result(None)

    def _on_unsubscribed(self, found: dict[str, Any]) -> None:
        if "code" in found and self.subscriptions.pop(found["channel"], None) is not None:
            self._add(SubscriptionEnd(found["channel"], found["code"]))

    def _on_published(self, found: dict[str, Any]) -> None:
        _, future = self.unconfirmed.pop(found.get("id", ""), (None, None))
        if future is not None and not future.done():
            future.set_result(Position.parse(found["position"]) if "position" in found else None)

    def _on_error(self, found: dict[str, Any]) -> None:
        code, request_id, channel = found["code"], found.get("id", ""), found.get("channel", "")
        if code in _TEMPORARY:
            self.retry = found.get("retry", 1000) / 1000
            return
        error = ChannelRequestError(code, found.get("message", ""))
        _, future = self.unconfirmed.pop(request_id, (None, None))
        if future is not None:
            if not future.done():
                future.set_exception(error)
            return
        subscription = self.subscriptions.get(channel)
        if subscription is None or subscription.awaited != request_id:
            return
        del self.subscriptions[channel]
        if subscription.confirmed.done():
            self._add(SubscriptionEnd(channel, code))
        else:
            subscription.confirmed.set_exception(error)

    def _on_presence(self, found: dict[str, Any]) -> None:
        subscription = self._current(found)
        if subscription is None:
            return
        before = subscription.members
        subscription.version = found.get("version")
        if "members" in found:
            after = found["members"]
        else:
            after = {**before, **found.get("joined", {}), **found.get("updated", {})}
            for name in found.get("left", ()):
                after.pop(name, None)
        subscription.members = after
        change = PresenceChange(
            subscription.channel,
            {name: after[name] for name in after.keys() - before.keys()},
            {name: before[name] for name in before.keys() - after.keys()},
            {name: after[name] for name in after.keys() & before.keys() if after[name] != before[name]},
        )
        if change:
            self._add(change)

    def fail_all(self, error: Exception) -> None:
        """Set the exception of everything that waits for the server."""
        waiting = [each.confirmed for each in self.subscriptions.values()]
        waiting += [future for _, future in self.unconfirmed.values()]  # type: ignore[misc]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # the program may not await it any more
        self.arrived.set()


_PROCESS = {
    "message": ClientState._on_message,
    "gap": ClientState._on_gap,
    "subscribed": ClientState._on_subscribed,
    "unsubscribed": ClientState._on_unsubscribed,
    "published": ClientState._on_published,
    "error": ClientState._on_error,
    "presence": ClientState._on_presence,
}

__all__ = ["ChannelRequestError", "ClientState", "ClientSubscription", "Item", "SubscriptionEnd"]
