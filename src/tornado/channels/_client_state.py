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
#: The number of errors ``internal`` after which a request is not repeated.
_MAX_INTERNAL = 5


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
class Publication:
    """A message that the server has not confirmed.

    :ivar request: the request, which can be encoded.
    :ivar size: the size of the request in bytes.
    :ivar future: done when the server has replied.
    :ivar was_sent: whether it was sent.
    :ivar is_refused: whether the server has asked to repeat it.
    :ivar internal_errors: the number of times the server has failed.
    """

    request: dict[str, Any]
    size: int
    future: asyncio.Future[Position | None]
    was_sent: bool = False
    is_refused: bool = False
    internal_errors: int = 0

    def fail(self, error: Exception) -> None:
        """Report that the message is not published."""
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(slots=True)
class ClientSubscription:
    """A channel of a client.

    :ivar options: the members ``join`` and ``watch`` of the subscription.
    :ivar position: the position of the last item; None before the first ``subscribed``.
    :ivar confirmed: done when the server has confirmed the subscription for the first time.
    :ivar version: the version of the members that a polling client has.
    :ivar awaited: the ID of the request whose reply begins this subscription; messages before it belong to an
        earlier subscription to the channel. It is empty for requests over HTTP, and None after the reply.
    :ivar is_behind: whether items are missing after `position`, because the program has not read enough.
    :ivar is_refused: whether the server has asked to repeat the request.
    :ivar internal_errors: the number of times the server has failed.
    """

    channel: str
    options: dict[str, Any]
    confirmed: asyncio.Future[None]
    position: Position | None = None
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: str | None = None
    awaited: str | None = ""
    is_behind: bool = False
    is_refused: bool = False
    internal_errors: int = 0

    def fail(self, error: Exception) -> None:
        """Report that the subscription is not established."""
        if not self.confirmed.done():
            self.confirmed.set_exception(error)
            self.confirmed.exception()  # the program may not await it any more

    def request(self) -> dict[str, Any]:
        """Return the request for a WebSocket, and await its reply."""
        self.awaited = os.urandom(8).hex()
        self.is_behind = self.is_refused = False
        return {"type": "subscribe", "id": self.awaited, **self._members()}

    def request_over_http(self, *, is_poll: bool) -> dict[str, Any]:
        """Return the subscription for a request of a new stream or poll."""
        self.awaited = ""
        self.is_behind = self.is_refused = False
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

    :param max_items: the number of items to read at which a subscription falls behind. It continues at its
        position when the program has read enough.
    :ivar subscriptions: the subscriptions by channel.
    :ivar unconfirmed: the publications without a reply, by ID, in their order.
    :ivar items: the items to read.
    :ivar arrived: set when an item has been added.
    :ivar retry: the number of seconds after which to repeat what was refused, other than publications; None
        if there is nothing.
    :ivar publish_retry: the same for publications.
    :ivar max_request: the maximum size of a request in bytes; None if it is not known.
    """

    def __init__(self, max_items: int) -> None:
        self.subscriptions: dict[str, ClientSubscription] = {}
        self.unconfirmed: dict[str, Publication] = {}
        self.items: deque[Item] = deque()
        self.arrived: asyncio.Event = asyncio.Event()
        self.retry: float | None = None
        self.publish_retry: float | None = None
        self.max_request: int | None = None
        self._max_items = max_items

    def is_full(self) -> bool:
        """Whether subscriptions fall behind."""
        return len(self.items) >= self._max_items

    def has_room(self) -> bool:
        """Whether the program has read enough for those that are behind."""
        return len(self.items) <= self._max_items // 2

    def is_unconfirmed(self) -> bool:
        """Whether the program waits for the confirmation of a subscription."""
        return any(not each.confirmed.done() for each in self.subscriptions.values())

    def is_refused(self) -> bool:
        """Whether the server has asked to repeat a subscription."""
        return any(each.is_refused for each in self.subscriptions.values())

    def refuse_too_large(self) -> None:
        """Refuse the publications that the server would not accept."""
        limit = self.max_request
        for name, each in list(self.unconfirmed.items()):
            if limit is not None and each.size > limit:
                del self.unconfirmed[name]
                each.fail(ChannelRequestError("too_large", f"a request has at most {limit} bytes"))

    def refuse_newest(self) -> bool:
        """End the newest subscription, because the list is too large. Return whether there was one."""
        newest = next(reversed(self.subscriptions.values()), None)
        if newest is not None:
            self._end(newest, ChannelRequestError("too_large", "the server permits no more subscriptions"))
        return newest is not None

    def forget_sent(self) -> None:
        """Forget the ephemeral messages of a lost connection: they may be lost, but not doubled."""
        for name, each in list(self.unconfirmed.items()):
            if each.was_sent and each.request.get("ephemeral"):
                del self.unconfirmed[name]
                if not each.future.done():
                    each.future.set_result(None)

    def requests(self) -> Iterator[dict[str, Any]]:
        """Return the subscriptions for the requests of a new WebSocket."""
        return (each.request() for each in self.subscriptions.values())

    def requests_over_http(self, *, is_poll: bool = False) -> list[dict[str, Any]]:
        """Return the subscriptions for a new stream or poll."""
        return [each.request_over_http(is_poll=is_poll) for each in self.subscriptions.values()]

    def _current(self, found: dict[str, Any]) -> ClientSubscription | None:
        """Return the subscription to which an event belongs.

        It is None if the event belongs to an earlier one, or if the program must read other items first.
        """
        subscription = self.subscriptions.get(found["channel"])
        if subscription is None or subscription.awaited or subscription.is_behind:
            return None
        if self.is_full():
            subscription.is_behind = True
            return None
        return subscription

    def discard(self, channel: str) -> None:
        """End an earlier subscription to a channel: remove the items that the program has not read."""
        self.items = deque(each for each in self.items if each.channel != channel)
        earlier = self.subscriptions.pop(channel, None)
        if earlier is not None:
            earlier.fail(ChannelRequestError("unsubscribed", f"the subscription to {channel!r} was ended"))

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
        payload = json.dumps(found["data"], ensure_ascii=False, separators=(",", ":")).encode()
        position = None
        if "position" in found:
            position, last = Position.parse(found["position"]), subscription.position
            if last is not None and last.epoch == position.epoch and position.offset <= last.offset:
                return  # a repetition
            subscription.position = position
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
            subscription.is_refused = False
            subscription.internal_errors = 0
            subscription.position = Position.parse(found["position"])
            if not subscription.confirmed.done():
                subscription.confirmed.set_result(None)

    def _on_unsubscribed(self, found: dict[str, Any]) -> None:
        subscription = self.subscriptions.get(found["channel"])
        # An earlier subscription may have ended before the server has processed the latest request.
        if "code" in found and subscription is not None and not subscription.awaited:
            self._end(subscription, ChannelRequestError(found["code"], "the subscription was ended"))

    def _end(self, subscription: ClientSubscription, error: ChannelRequestError) -> None:
        del self.subscriptions[subscription.channel]
        if subscription.confirmed.done():
            self._add(SubscriptionEnd(subscription.channel, error.code))
        else:
            subscription.confirmed.set_exception(error)

    def _on_published(self, found: dict[str, Any]) -> None:
        publication = self.unconfirmed.pop(found.get("id", ""), None)
        if publication is not None and not publication.future.done():
            position = Position.parse(found["position"]) if "position" in found else None
            publication.future.set_result(position)

    def _on_connected(self, found: dict[str, Any]) -> None:
        limit = found.get("limits", {}).get("message")
        if limit is not None:
            self.max_request = limit
            self.refuse_too_large()

    def _on_error(self, found: dict[str, Any]) -> None:
        code, request_id, channel = found["code"], found.get("id", ""), found.get("channel", "")
        error = ChannelRequestError(code, found.get("message", ""))
        publication = self.unconfirmed.get(request_id)
        subscription = self.subscriptions.get(channel)
        if subscription is not None and subscription.awaited != request_id:
            subscription = None
        refused = subscription if publication is None else publication
        if code in _TEMPORARY and not (refused is not None and _fails_always(refused, code)):
            delay = found.get("retry", 1000) / 1000
            if refused is not None:
                refused.is_refused = True
            if publication is None:
                self.retry = delay
            else:
                self.publish_retry = delay
        elif publication is not None:
            del self.unconfirmed[request_id]
            publication.fail(error)
        elif subscription is not None:
            self._end(subscription, error)

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
        for subscription in self.subscriptions.values():
            subscription.fail(error)
        for publication in self.unconfirmed.values():
            publication.fail(error)
            if not publication.future.cancelled():
                publication.future.exception()  # the program may not await it any more
        self.arrived.set()


def _fails_always(refused: Publication | ClientSubscription, code: str) -> bool:
    """Count an error of the server. Return whether it fails again and again."""
    refused.internal_errors += code == "internal"
    return refused.internal_errors >= _MAX_INTERNAL


_PROCESS = {
    "message": ClientState._on_message,
    "gap": ClientState._on_gap,
    "connected": ClientState._on_connected,
    "subscribed": ClientState._on_subscribed,
    "unsubscribed": ClientState._on_unsubscribed,
    "published": ClientState._on_published,
    "error": ClientState._on_error,
    "presence": ClientState._on_presence,
}

__all__ = [
    "ChannelRequestError",
    "ClientState",
    "ClientSubscription",
    "Item",
    "Publication",
    "SubscriptionEnd",
]
