"""`Session`: one client of a `ChannelHandler`, with its user, subscriptions and limits."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final, Protocol

from tornado._loop.deadlines import NEVER
from tornado.channels._counts import counts
from tornado.channels._endpoint import Endpoint
from tornado.channels._errors import BrokerUnavailableError, PublishError
from tornado.channels._limits import ClientLimits, SlowPolicy, count_request
from tornado.channels._operations import OPERATIONS, connect
from tornado.channels._receivers import ReceiverGroup
from tornado.channels._requests import (
    ABSENT,
    Request,
    RequestError,
    SubscriptionRequest,
    channel_of,
    decode_object,
    encode_connected,
    encode_reply,
    encode_subscribed,
    parse_request,
    request_id_of,
)
from tornado.channels._session_state import Identity, SessionState, name_of_anonymous
from tornado.channels._slow_clients import SLOW_RECEIVERS, SlowReceiver
from tornado.channels._steps import Steps, resolve, run_steps
from tornado.channels._transport import Transport
from tornado.channels._values import Gap, Position

# See `tornado._wire.state_machine` for the reason for these constants.
_NEW = SessionState.NEW
_CLOSED = SessionState.CLOSED
_CONNECTED = SessionState.CONNECTED

#: The bounds of the time in seconds after which a client may repeat what has failed without a broker.
_MIN_RETRY, _MAX_RETRY = 0.5, 1.5
#: The longest time in seconds for which a request above the rate waits.
_MAX_WAIT = 5.0
#: The minimum length of an idempotency key that is unique among all clients.
_MIN_UNIQUE = 16
#: The longest time for which the end of a token is scheduled, in seconds.
_MAX_EXPIRY = 30 * 86400.0

TOO_SLOW, RESTART = 1013, 1012
_REVOKED, _TIMED_OUT, _RATE, _POLICY = 4403, 4408, 4429, 1008


class Hooks(Protocol):
    """The methods of a `ChannelHandler` that a session calls."""

    client_limits: ClientLimits
    keep_alive: float

    def authenticate(self, token: str | None) -> Any: ...

    def authorize_subscribe(self, channel: str) -> Any: ...

    def authorize_publish(self, channel: str) -> Any: ...

    def authorize_presence(self, channel: str) -> Any: ...

    def slow_policy(self, channel: str) -> SlowPolicy: ...

    def log_exception(self, kind: Any, error: Any, traceback: Any) -> None: ...


class Session:
    """One client: a WebSocket, an event stream, or a poll.

    :param hooks: the handler.
    :param receiver: the client's receiver; see `Transport`.
    :param lingers: whether the client remains present for some seconds after the end of the session.
    :ivar identity: the user of the client.
    :ivar deadline: the time until which the client must be authenticated, on the clock of the event loop.
    """

    __slots__ = (
        "_channels",
        "_client",
        "_connections",
        "_endpoint",
        "_expiry",
        "_free_at",
        "_hello",
        "_hooks",
        "_lingers",
        "_receiver",
        "_slow",
        "_state",
        "_transport",
        "_violations",
        "_watched",
        "deadline",
        "identity",
    )

    def __init__(
        self, hooks: Hooks, receiver: Any, endpoint: Endpoint, transport: Transport, lingers: bool = False
    ) -> None:
        self.identity = _ANONYMOUS
        self.deadline = NEVER
        self._hooks = hooks
        self._receiver = receiver
        self._endpoint = endpoint
        self._transport = transport
        self._lingers = lingers
        self._state = _NEW
        self._client = ""
        #: The names of the subscribed channels, and of those whose members the client watches.
        self._channels: tuple[str, ...] = ()
        self._watched: tuple[str, ...] = ()
        #: The connection IDs of the client's presence by channel.
        self._connections: dict[str, str] | None = None
        #: The receivers that replace the client in channels that it reads too slowly.
        self._slow: dict[str, SlowReceiver] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._free_at = 0.0
        #: The token and the ID of the last ``connect``, which the next request repeats if it has failed.
        self._hello: tuple[str | None, str | None] = (None, None)
        self._violations = 0
        endpoint.sessions[receiver] = self

    def __repr__(self) -> str:
        return f"<Session {self._state.value}, user {self.identity.user!r}, {len(self._channels)} channels>"

    # -- requests of a WebSocket --

    def receive(self, text: str | bytes) -> Awaitable[None] | None:
        """Process a message of the client. Return a coroutine if it must be awaited."""
        return run_steps(self._process(text))

    def _process(self, text: str | bytes) -> Steps:
        request_id = None
        members: dict[str, Any] = {}
        try:
            members = decode_object(text)
            request_id = request_id_of(members)
            while wait := self._count_request():
                # The next requests wait until this one is processed, so that their order is kept.
                yield asyncio.sleep(wait)
            if self._state is _CLOSED:
                return
            request = parse_request(members, request_id)
            operation = OPERATIONS.get(request.type)
            if operation is None:
                raise RequestError("bad_request", f"{request.type} is not available on a WebSocket")
            if self._state is _NEW and operation is not connect:
                yield from self.connect(*self._hello)
            if self._state is _CONNECTED or operation is connect:
                yield from operation(self, request)
            if self._violations:
                self._violations -= 1
        except Exception as error:
            refused = self.error_of(error)
            if refused.channel is None:
                refused.channel = channel_of(members)
            self.fail(refused, request_id)

    def _count_request(self) -> float:
        """Count a request. Return the number of seconds to wait before it is counted; 0 if it is permitted.

        :raises RequestError: if the wait is too long.
        """
        limits = self._hooks.client_limits
        self._free_at, wait = count_request(limits, self._free_at, time.monotonic())
        if wait > _MAX_WAIT:
            raise RequestError("rate", f"more than {limits.rate:g} requests per second", retry=wait)
        return wait

    def error_of(self, error: Exception) -> RequestError:
        """Return the error to report for an exception. An unexpected one is logged."""
        if isinstance(error, RequestError):
            return error
        if isinstance(error, (BrokerUnavailableError, PublishError)):
            # A random time, because the requests of all clients fail at the same time.
            retry = random.uniform(_MIN_RETRY, _MAX_RETRY)
            return RequestError("unavailable", "the broker cannot be reached", retry=retry)
        if isinstance(error, UnicodeEncodeError):
            return RequestError("bad_request", "a text contains a surrogate, which UTF-8 cannot represent")
        self._hooks.log_exception(type(error), error, sys.exc_info()[2])
        return RequestError("internal", "internal error")

    def reply(self, kind: str, request_id: str | None, members: Mapping[str, Any]) -> None:
        """Send a reply or an event, unless the session has ended."""
        if self._state is not _CLOSED:
            self._transport.send(self._receiver, encode_reply(kind, request_id, members))

    def fail(self, error: RequestError, request_id: str | None = None) -> None:
        """Report an error, and close the connection if the error or the number of errors requires it."""
        if self._state is _CLOSED:
            return
        self._transport.send(self._receiver, error.encode(request_id))
        if error.code in ("bad_request", "rate"):
            self._violations += 1
        if error.close_code is not None:
            self.close(error.close_code, error.code)
        elif self._violations >= self._hooks.client_limits.violations:
            self.close(_RATE if error.code == "rate" else _POLICY, error.code)

    # -- the user --

    def connect(self, token: str | None, client: str | None, request_id: str | None = None) -> Steps:
        """Authenticate the client, and reply ``connected``."""
        if self._state is _NEW:
            self._hello = (token, client)
        yield from self.authenticate(token, client)
        self.send_connected(request_id)

    def authenticate(self, token: str | None, client: str | None) -> Steps:
        """Authenticate the client.

        :raises RequestError: if it is not permitted to connect.
        """
        endpoint = self._endpoint
        if not endpoint.is_watching:
            yield endpoint.watch_revocations()
        revision = endpoint.revision
        identity = self._hooks.authenticate(token)
        if type(identity) is not Identity:
            identity = yield from self._resolve_identity(identity, revision, token)
        was_new = self._state is _NEW
        if not was_new and identity.user != self.identity.user:
            raise RequestError("unauthorized", "the token is that of another user")
        if identity.expires_at is not None and identity.expires_at <= time.time():
            raise RequestError("expired", "the token has expired")
        if self._state is _CLOSED:
            return
        self.identity = identity
        if was_new:
            self._client = client or os.urandom(9).hex()
            self._state = self._state.to[_CONNECTED]
            self._cancel_deadline()
        if identity.expires_at is not None or self._expiry is not None:
            self._schedule_expiry()

    def limit_authentication(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the connection if the client is not authenticated in time.

        :param loop: the running loop.
        """
        timeout = self._hooks.client_limits.authentication_timeout
        self._endpoint.authentications.start(self, loop, timeout)

    def deadline_passed(self) -> None:
        """Close the connection; see `HasDeadline.deadline_passed`."""
        self._endpoint.authentications.discard(self)
        self.close(_TIMED_OUT, "the client was not authenticated in time")

    def _cancel_deadline(self) -> None:
        if self.deadline is not NEVER:
            self.deadline = NEVER
            self._endpoint.authentications.discard(self)

    def _resolve_identity(
        self, identity: Any, revision: int, token: str | None
    ) -> Generator[Any, Any, Identity]:
        """Return the result of `authenticate` of the handler, which may be awaitable. Call the method again
        if permissions have been revoked while it was running.

        :param identity: the value that the method has returned.
        :param revision: the endpoint's revision before the call.
        """
        while True:
            identity = yield from resolve(identity)
            if identity is None:
                raise RequestError("unauthorized", "the token is not valid")
            if not isinstance(identity, Identity):
                name = f"{type(self._hooks).__name__}.authenticate()"
                raise TypeError(f"{name} must return an Identity or None, got {identity!r:.100}")
            if revision == self._endpoint.revision:
                return identity
            revision = self._endpoint.revision
            identity = self._hooks.authenticate(token)

    def send_connected(self, request_id: str | None) -> None:
        """Reply ``connected``."""
        if self._state is _CLOSED:
            return
        expires_at = self.identity.expires_at
        expires_in = None if expires_at is None else max(0, round(expires_at - time.time()))
        limits = self._endpoint.encode_limits(self._hooks.client_limits, self._hooks.keep_alive)
        self._transport.send(self._receiver, encode_connected(request_id, self._client, expires_in, limits))

    def _schedule_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        expires_at = self.identity.expires_at
        if expires_at is not None and expires_at - time.time() < _MAX_EXPIRY:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(expires_at - time.time(), self._expire)

    def _expire(self) -> None:
        self.fail(RequestError("expired", "the token has expired"))

    def _authorize(self, hook: Callable[[str], Any], channel: str) -> Steps:
        """Call an authorization method.

        :raises RequestError: if it does not permit the operation.
        """
        revision = self._endpoint.revision
        yield from self._check_allowed(hook, channel, hook(channel), revision)

    def _check_allowed(self, hook: Callable[[str], Any], channel: str, allowed: Any, revision: int) -> Steps:
        """Check the result of an authorization method, which may be awaitable. Call the method again if
        permissions have been revoked while it was running.

        :param allowed: the value that the method has returned.
        :param revision: the endpoint's revision before the call.
        :raises RequestError: if the method does not permit the operation.
        """
        while True:
            if allowed is not True:
                allowed = yield from resolve(allowed)
            if not allowed:
                raise RequestError("forbidden", "the user may not do this", channel=channel)
            if self._state is _CLOSED:
                raise RequestError("unauthorized", "the session has ended", channel=channel)
            if revision == self._endpoint.revision:
                return
            revision = self._endpoint.revision
            allowed = hook(channel)

    def revoke(self, user: str, channel: str | None) -> None:
        """End what is revoked, if `user` is the user of this session."""
        if user != self.identity.user:
            return
        if channel is None:
            self._transport.send(self._receiver, RequestError("revoked", "permissions were revoked").encode())
            self.close(_REVOKED, "revoked")
        elif channel in self._channels:
            self.unsubscribe(channel)
            self.reply("unsubscribed", None, {"channel": channel, "code": "revoked"})

    def reconnect(self) -> None:
        """Close the connection, so that the client connects again and is authorized again."""
        self.close(RESTART, "connect again")

    # -- subscriptions --

    def subscribe(self, wanted: SubscriptionRequest, request_id: str | None = None) -> Steps:
        """Subscribe to a channel, and reply ``subscribed``.

        :raises RequestError: if this is not permitted.
        """
        channel, endpoint, hooks = wanted.channel, self._endpoint, self._hooks
        hub = endpoint.hub
        if channel not in self._channels and len(self._channels) >= hooks.client_limits.subscriptions:
            raise RequestError("limit", "too many subscriptions", channel=channel)
        revision = endpoint.revision
        allowed = hooks.authorize_subscribe(channel)
        since = wanted.position or hub.position(channel)
        if (
            allowed is not True
            or since is None
            or wanted.join is not ABSENT
            or revision != endpoint.revision
            or self._state is _CLOSED
        ):
            since = yield from self._begin_subscription(wanted, allowed, revision)
        # What follows, up to the presence, cannot fail: the client gets one reply.
        group = self._transport.group(hooks.slow_policy(channel))
        if self._state is _CLOSED:
            return
        if channel in self._channels:
            self._detach(channel)
        else:
            self._channels = (*self._channels, channel)
        if wanted.position is None or not self._lingers:
            position = str(since)
            self._transport.send(self._receiver, encode_subscribed(request_id, channel, position), position)
        hub.attach(channel, self._receiver, since, group)
        if wanted.watch:
            self.watch(channel, wanted.watch if isinstance(wanted.watch, str) else "")
        if wanted.join is not ABSENT:
            yield from self._join(channel, wanted.join)

    def _begin_subscription(
        self, wanted: SubscriptionRequest, allowed: Any, revision: int
    ) -> Generator[Any, Any, Position]:
        """Check that a subscription is permitted, and return the position at which it begins.

        :param allowed: the value that ``authorize_subscribe`` has returned.
        :param revision: the endpoint's revision before that call.
        """
        channel, hub, hooks = wanted.channel, self._endpoint.hub, self._hooks
        while True:
            yield from self._check_allowed(hooks.authorize_subscribe, channel, allowed, revision)
            revision = self._endpoint.revision
            if wanted.join is not ABSENT:
                yield from self._authorize(hooks.authorize_presence, channel)
            since = wanted.position or hub.position(channel)
            if since is None:
                since = yield hub.head(channel)
            if revision == self._endpoint.revision:
                return since
            revision = self._endpoint.revision
            allowed = hooks.authorize_subscribe(channel)

    def _detach(self, channel: str) -> None:
        self._endpoint.hub.detach(channel, self._receiver)
        slow = None if self._slow is None else self._slow.pop(channel, None)
        if slow is not None:
            self._endpoint.hub.detach(channel, slow)

    def unsubscribe(self, channel: str) -> None:
        """End a subscription, and the presence of the client in the channel."""
        self._detach(channel)
        self._channels = tuple([each for each in self._channels if each != channel])
        self.unwatch(channel)
        connection = None if self._connections is None else self._connections.pop(channel, None)
        if connection is not None:
            self._endpoint.leave(channel, connection)

    def check_subscribed(self, channel: str) -> None:
        """Check that the client has subscribed to a channel.

        :raises RequestError: if it has not.
        """
        if channel not in self._channels:
            raise RequestError("not_subscribed", "subscribe to the channel first", channel=channel)

    # -- publishing --

    def publish(self, request: Request) -> Steps:
        """Publish a message. Return the members of ``published``.

        :raises RequestError: if this is not permitted.
        """
        channel, hub = request.channel, self._endpoint.hub
        yield from self._authorize(self._hooks.authorize_publish, channel)
        if request.is_ephemeral:
            yield hub.send(channel, request.data, key=request.key)
            return {"channel": channel}
        # The user and the client are parts of the key, so that no other one can occupy it.
        user, client = self.identity.user or "", self._hello[1] or request.client or ""
        assert request.id is not None  # only an ephemeral message needs none
        if not client and len(request.id) < _MIN_UNIQUE:
            text = f"without client, the id of publish has at least {_MIN_UNIQUE} characters"
            raise RequestError("bad_request", text)
        key = f"{len(user)}/{user}/{client}/{request.id}"
        position = yield hub.publish(channel, request.data, key=request.key, idempotency_key=key)
        return {"channel": channel, "position": str(position)}

    # -- presence --

    @property
    def _member(self) -> str:
        user = self.identity.user
        return name_of_anonymous(self._client) if user is None else user

    def join(self, channel: str, data: Any) -> Steps:
        """Make the client present in a channel, or change its data."""
        yield from self._authorize(self._hooks.authorize_presence, channel)
        yield from self._join(channel, data)

    def _join(self, channel: str, data: Any) -> Steps:
        if self._state is _CLOSED or channel not in self._channels:
            return
        presence = self._endpoint.presence
        connections = self._connections = {} if self._connections is None else self._connections
        connection = connections.get(channel)
        if connection is None and self._lingers:
            connection = self._endpoint.take_lingering(self._member, self._client, channel)
        if connection is not None:
            connections[channel] = connection  # before the update, which may be cancelled
            yield presence.update(channel, connection, data)
            return
        connection = yield presence.join(channel, self._member, data)
        if self._state is _CLOSED or channel not in self._channels:
            self._endpoint.leave(channel, connection)
        else:
            connections[channel] = connection

    def leave(self, channel: str) -> Steps:
        """End the presence of the client in a channel."""
        connection = None if self._connections is None else self._connections.pop(channel, None)
        if connection is not None:
            yield self._endpoint.presence.leave(channel, connection)

    def watch(self, channel: str, version: str = "") -> None:
        """Send the members of a channel, and their changes, to the client."""
        if self._state is _CLOSED:
            return
        if channel not in self._watched:
            self._watched = (*self._watched, channel)
        self._endpoint.watch(channel, self._receiver, self._transport, version)

    def unwatch(self, channel: str) -> None:
        """End the presence events of a channel."""
        if channel in self._watched:
            self._watched = tuple([each for each in self._watched if each != channel])
            self._endpoint.unwatch(channel, self._receiver, self._transport)

    # -- slow clients --

    def fall_behind(self, channel: str, after: Position, policy: SlowPolicy, reads_history: bool) -> None:
        """Apply a policy to this client; see `SlowClient.fall_behind`."""
        if self._state is _CLOSED or channel not in self._channels:
            return
        action = policy.action
        if reads_history and action != "latest":
            slow = SlowReceiver(channel, after, "wait", 0, self._close_slow)
        elif action == "close":
            self._close_slow()
            return
        else:
            counts.add_slow("latest" if action == "latest" else "skipped")
            slow = SlowReceiver(channel, after, action, policy.limit, self._close_slow)
        self._slow = {} if self._slow is None else self._slow
        self._slow[channel] = slow
        hub = self._endpoint.hub
        hub.attach(channel, slow, None if slow.waits else after, SLOW_RECEIVERS)
        hub.detach(channel, self._receiver)
        callback = functools.partial(self._catch_up, channel, slow, self._transport.group(policy))
        self._transport.when_sent(self._receiver, policy.limit // 2, callback)

    def _catch_up(self, channel: str, slow: SlowReceiver, group: ReceiverGroup) -> None:
        """Send what a slow client has missed, and continue with the live messages."""
        if self._slow is None or self._slow.get(channel) is not slow:
            return
        hub = self._endpoint.hub
        items = slow.take()
        if items:
            counts.add_delivered(len(items))
            counts.add_gaps("slow", sum(isinstance(each, Gap) for each in items))
            group.deliver([self._receiver], items)
        if self._slow is not None and self._slow.get(channel) is slow:  # it is not slow again
            del self._slow[channel]
            hub.attach(channel, self._receiver, slow.position, group)
        hub.detach(channel, slow)

    def _close_slow(self) -> None:
        counts.add_slow("closed")
        self.close(TOO_SLOW, "messages are read too slowly")

    # -- the end --

    def close(self, code: int, reason: str) -> None:
        """End the session and the connection."""
        if self._state is not _CLOSED:
            self.end()
            self._transport.close(self._receiver, code, reason)

    def end(self) -> None:
        """Release everything after the connection has closed. A second call does nothing."""
        if self._state is _CLOSED:
            return
        self._state = self._state.to[_CLOSED]
        endpoint = self._endpoint
        endpoint.sessions.pop(self._receiver, None)
        self._cancel_deadline()
        if self._expiry is not None:
            self._expiry.cancel()
        for channel in self._channels:
            self._detach(channel)
        for channel in self._watched:
            endpoint.unwatch(channel, self._receiver, self._transport)
        connections, self._connections = self._connections or {}, None
        for channel, connection in connections.items():
            if self._lingers:
                endpoint.leave_later(self._member, self._client, channel, connection)
            else:
                endpoint.leave(channel, connection)
        self._channels = self._watched = ()


_ANONYMOUS: Final = Identity()

__all__ = ["Hooks", "Session"]
