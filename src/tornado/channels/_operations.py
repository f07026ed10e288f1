"""The requests of an open connection by type. Requests over HTTP are in `_http_requests`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from tornado.channels._requests import Request
from tornado.channels._steps import Steps


class Operations(Protocol):
    """The methods of a `Session` that requests call."""

    def connect(self, token: str | None, client: str | None, request_id: str | None = None) -> Steps: ...

    def subscribe(self, wanted: Any, request_id: str | None = None) -> Steps: ...

    def unsubscribe(self, channel: str) -> None: ...

    def publish(self, request: Request) -> Steps: ...

    def join(self, channel: str, data: Any) -> Steps: ...

    def leave(self, channel: str) -> Steps: ...

    def watch(self, channel: str) -> None: ...

    def unwatch(self, channel: str) -> None: ...

    def check_subscribed(self, channel: str) -> None: ...

    def reply(self, kind: str, request_id: str | None, members: Mapping[str, Any]) -> None: ...


def connect(session: Operations, request: Request) -> Steps:
    """Process ``connect`` or ``token``."""
    yield from session.connect(request.token, request.client, request.id)


def _subscribe(session: Operations, request: Request) -> Steps:
    yield from session.subscribe(request.subscriptions[0], request.id)


def _unsubscribe(session: Operations, request: Request) -> Steps:
    session.unsubscribe(request.channel)
    session.reply("unsubscribed", request.id, {"channel": request.channel})
    yield from ()


def _publish(session: Operations, request: Request) -> Steps:
    members = yield from session.publish(request)
    if request.id is not None:
        session.reply("published", request.id, members)


def _join(session: Operations, request: Request) -> Steps:
    session.check_subscribed(request.channel)
    yield from session.join(request.channel, request.data)
    session.reply("joined", request.id, {"channel": request.channel})


def _leave(session: Operations, request: Request) -> Steps:
    yield from session.leave(request.channel)
    session.reply("left", request.id, {"channel": request.channel})


def _watch(session: Operations, request: Request) -> Steps:
    session.check_subscribed(request.channel)
    session.reply("watching", request.id, {"channel": request.channel})
    session.watch(request.channel)
    yield from ()


def _unwatch(session: Operations, request: Request) -> Steps:
    session.unwatch(request.channel)
    session.reply("unwatched", request.id, {"channel": request.channel})
    yield from ()


def _ping(session: Operations, request: Request) -> Steps:
    session.reply("pong", request.id, {})
    yield from ()


#: The functions by the type of the request.
OPERATIONS: Final[Mapping[str, Callable[[Any, Request], Steps]]] = {
    "connect": connect,
    "token": connect,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "publish": _publish,
    "join": _join,
    "leave": _leave,
    "watch": _watch,
    "unwatch": _unwatch,
    "ping": _ping,
}

__all__ = ["OPERATIONS", "Operations", "connect"]
