"""`connect`: a client of the channel protocol, for programs in Python."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import random
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, Final, TypeAlias

from tornado._loop.tasks import start_lazily
from tornado.channels._client_state import (
    ChannelRequestError,
    ClientState,
    ClientSubscription,
    Item,
    Publication,
)
from tornado.channels._client_transports import (
    Connection,
    Disconnected,
    InvalidMessageError,
    run_polling,
    run_stream,
    run_websocket,
)
from tornado.channels._errors import PublishError
from tornado.channels._requests import ABSENT
from tornado.channels._values import Position
from tornado.httpclient import AsyncHTTPClient
from tornado.log import gen_log

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]

_TRANSPORTS: Final[Mapping[str, Callable[[Connection], Awaitable[None]]]] = {
    "websocket": run_websocket,
    "stream": run_stream,
    "poll": run_polling,
}
#: The maximum delay before a connection attempt in seconds: the first, and the longest.
_MIN_DELAY, _MAX_DELAY = 0.5, 30.0
#: The duration of a connection in seconds after which the back-off begins again.
_STABLE = 10.0
#: The number of failures after which the next transport is used, and the time in seconds after which the
#: first one is tried again.
_MAX_FAILURES = 2
_FALLBACK_TIME = 300.0
#: The close codes and HTTP statuses after which no connection is attempted.
_FINAL = (1002, 1008, 4403, 403)
_UNAUTHORIZED = (401, 4401)
#: The bounds of the delay in seconds before a connection attempt after these close codes.
_DELAYS = {1012: (0.0, 5.0), 1013: (0.0, 1.0), 4429: (10.0, 10.0)}
#: The part of a token's lifetime after which it is renewed.
_RENEWAL = 0.8


class ChannelClient:
    """A connection to a `ChannelHandler`, which is restored whenever it is lost; see `connect`.

    :ivar url: the URL.
    """

    __module__ = "tornado.channels"  # the module that exports this class

    def __init__(
        self, url: str, token: Token | None, transports: Sequence[str], max_items: int, max_waiting: int
    ) -> None:
        unknown = [each for each in transports if each not in _TRANSPORTS]
        if unknown or not transports:
            raise ValueError(f"transports must be some of {', '.join(_TRANSPORTS)}, got {list(transports)!r}")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"expected a URL with the scheme http or https, got {url!r:.200}")
        self.url = url
        self.state: ClientState = ClientState(max_items)
        self.changed: asyncio.Event = asyncio.Event()
        self.publishing: asyncio.Event = asyncio.Event()
        self.http: AsyncHTTPClient = AsyncHTTPClient(force_instance=True)
        self._client_id = os.urandom(12).hex()
        self._token = token
        self._current_token: str | None = None
        self._transports = transports
        self._max_waiting = max_waiting
        self._send: Callable[[dict[str, Any]], None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._room = asyncio.Event()
        self._repetition: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        #: The invalid message of which a warning was logged; None before the end of the first connection.
        self._warned_of: str | None = None

    def __repr__(self) -> str:
        state = "connected" if self.is_connected else "not connected"
        return f"<ChannelClient {self.url} {state}, {len(self.state.subscriptions)} channels>"

    # -- beginning and ending --

    def __await__(self) -> Generator[Any, None, ChannelClient]:
        return self._start().__await__()

    async def __aenter__(self) -> ChannelClient:
        return await self._start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _start(self) -> ChannelClient:
        if self._task is None:
            self._task = start_lazily(self._run())
        waiting = asyncio.ensure_future(self._connected.wait())
        try:
            await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self.close()
            raise
        finally:
            waiting.cancel()
        if self._error is not None:
            await self.close()
            raise self._error
        return self

    async def close(self) -> None:
        """Close the connection."""
        tasks = [each for each in (self._task, self._renewal) if each is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._repetition is not None:
            self._repetition.cancel()
        self._connected.clear()
        self._error = self._error or ChannelRequestError("closed", "the client is closed")
        self.state.fail_all(self._error)
        self.http.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connected.is_set()

    # -- requests --

    async def subscribe(
        self, channel: str, since: Position | None = None, *, join: Any = ABSENT, watch: bool = False
    ) -> None:
        """Subscribe to a channel, and return when the position of the subscription is known.

        If the client has subscribed to the channel already, it continues at the new position, and items of
        the channel that were not read are discarded.

        :param since: the position of the last message received; None for the messages from now on.
        :param join: if given, be present in the channel with this data.
        :param watch: whether to receive a `PresenceChange` when members join or leave.
        :raises ChannelRequestError: if the server refuses the subscription.
        """
        self._check_open()
        options: dict[str, Any] = {} if join is ABSENT else {"join": join}
        if watch:
            options["watch"] = True
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if since is not None:
            confirmed.set_result(None)  # polls do not confirm it; a refusal is reported as SubscriptionEnd
        subscription = ClientSubscription(channel, options, confirmed, since)
        self._discard(channel)
        self.state.subscriptions[channel] = subscription
        self._request(subscription.request())
        await confirmed

    def unsubscribe(self, channel: str) -> None:
        """End a subscription. Items of the channel that were not read are discarded."""
        if channel in self.state.subscriptions:
            self._discard(channel)
            self._request({"type": "unsubscribe", "channel": channel})

    async def publish(
        self, channel: str, data: Any, *, key: str | None = None, timeout: float | None = None
    ) -> Position:
        """Publish a message, and return its position when the server has stored it.

        Without a connection, the message waits. It is stored once, although it may be sent several
        times.

        :param key: see `Message`.
        :param timeout: the time limit in seconds; None to wait without a limit.
        :raises ChannelRequestError: if the server refuses the message.
        :raises PublishError: if it was not confirmed in time, or too many messages wait.
        """
        request = {"type": "publish", "channel": channel, "data": data}
        if key is not None:
            request["key"] = key
        position = await self._publish(request, timeout)
        assert position is not None  # the message was not ephemeral
        return position

    async def send(self, channel: str, data: Any, *, timeout: float | None = None) -> None:
        """Send an ephemeral message: it is not stored, has no position, and may be lost.

        :param timeout: as for `publish`.
        :raises ChannelRequestError: if the server refuses the message.
        :raises PublishError: if it was not confirmed in time, or too many messages wait.
        """
        await self._publish({"type": "publish", "channel": channel, "data": data, "ephemeral": True}, timeout)

    async def _publish(self, request: dict[str, Any], timeout: float | None) -> Position | None:
        self._check_open()
        request["id"] = request_id = os.urandom(12).hex()
        text = json.dumps(request, allow_nan=False)
        state = self.state
        if len(state.unconfirmed) >= self._max_waiting:
            raise PublishError(f"{self._max_waiting} messages wait: increase max_waiting", request_id)
        future: asyncio.Future[Position | None] = asyncio.get_running_loop().create_future()
        # The program may change its data before the request is sent again.
        publication = state.unconfirmed[request_id] = Publication(json.loads(text), len(text), future)
        state.refuse_too_large()
        if not future.done():
            self.publishing.set()
            if self._send is not None:
                self._publish_now(publication)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            text = f"a message to {request['channel']!r} was not confirmed within {timeout} s"
            raise PublishError(text, request_id) from None
        finally:
            state.unconfirmed.pop(request_id, None)

    def _publish_now(self, publication: Publication) -> None:
        assert self._send is not None
        publication.was_sent, publication.is_refused = True, False
        self._send(publication.request)

    def members(self, channel: str) -> dict[str, dict[str, Any]]:
        """Return the members of a channel that is watched, as far as they are known."""
        subscription = self.state.subscriptions.get(channel)
        return {} if subscription is None else dict(subscription.members)

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._error

    def _request(self, request: dict[str, Any]) -> None:
        """Send a request on a WebSocket, or let the transport open another stream."""
        self.changed.set()
        if self._send is not None:
            self._send(request)

    # -- items --

    def __aiter__(self) -> ChannelClient:
        return self

    async def __anext__(self) -> Item:
        state = self.state
        while not state.items:
            if self._error is not None:
                if isinstance(self._error, ChannelRequestError) and self._error.code == "closed":
                    raise StopAsyncIteration
                raise self._error
            state.arrived.clear()
            await state.arrived.wait()
        item = state.items.popleft()
        if state.has_room():
            self._continue()
        return item

    def _discard(self, channel: str) -> None:
        self.state.discard(channel)
        if self.state.has_room():
            self._continue()

    def _continue(self) -> None:
        """Subscribe again to the channels that are behind, after the program has read enough."""
        self._room.set()
        for subscription in list(self.state.subscriptions.values()):
            if subscription.is_behind:
                self._request(subscription.request())

    # -- the interface for transports --

    def hello(self) -> dict[str, Any]:
        """See `Connection.hello`."""
        members = {"client": self._client_id}
        if self._current_token is not None:
            members["token"] = self._current_token
        return members

    def use(self, send: Callable[[dict[str, Any]], None] | None) -> None:
        """See `Connection.use`."""
        self._send = send
        if send is not None:
            for publication in list(self.state.unconfirmed.values()):
                self._publish_now(publication)

    def receive(self, found: Mapping[str, Any]) -> None:
        """See `Connection.receive`."""
        if found.get("type") == "connected":
            self._connected.set()
            self._schedule_renewal(found.get("expires_in"))
        state = self.state
        state.receive(dict(found))
        delay, state.retry = state.retry, None
        if self._send is not None and state.publish_retry is not None:
            delay, state.publish_retry = state.publish_retry, None
        if delay is not None and self._repetition is None:
            self._repetition = asyncio.get_running_loop().call_later(delay, self._repeat)

    async def wait_for_room(self) -> None:
        """See `Connection.wait_for_room`."""
        while self.state.is_full() and not self.state.is_unconfirmed():
            self._room.clear()
            await self._room.wait()

    def _repeat(self) -> None:
        """Repeat what the server could not do."""
        self._repetition = None
        if self._send is None:
            self.changed.set()
            return
        if not self._connected.is_set():
            self._send({"type": "connect", **self.hello()})
        for subscription in list(self.state.subscriptions.values()):
            if subscription.is_refused:
                self._send(subscription.request())
        for publication in list(self.state.unconfirmed.values()):
            if publication.is_refused:
                self._publish_now(publication)

    # -- connecting --

    async def _run(self) -> None:
        index = failures = 0
        delay, fell_back_at = _MIN_DELAY, 0.0
        while True:
            began = monotonic()
            code: int | None = None
            retry: float | None = None
            problem: Exception
            try:
                await self._obtain_token()
                await _TRANSPORTS[self._transports[index]](self)
            except Disconnected as error:
                code, retry, problem = error.code, error.retry, error
            except (OSError, TimeoutError) as error:
                problem = error
            except Exception as error:
                gen_log.error("Exception in %r", self, exc_info=True)
                self._end(error)
                return
            finally:
                was_connected = self._connected.is_set()
                self._connected.clear()
            if code in _FINAL or (code in _UNAUTHORIZED and not callable(self._token)):
                self._end(ChannelRequestError("refused", f"the server refuses the connection ({code})"))
                return
            self.state.forget_sent()
            # Another transport would need another token, too.
            failures = 0 if was_connected or code in _UNAUTHORIZED else failures + 1
            is_stable = monotonic() - began >= _STABLE
            self._log(problem, self._transports[index], is_failure=failures > 0, is_stable=is_stable)
            if failures >= _MAX_FAILURES and index + 1 < len(self._transports):
                index, failures, fell_back_at, delay = index + 1, 0, began, _MIN_DELAY
            elif index and began - fell_back_at > _FALLBACK_TIME:
                index, failures = 0, 0
            if is_stable:
                delay = _MIN_DELAY
            await asyncio.sleep(_random_delay(code, retry, delay))
            delay = min(2 * delay, _MAX_DELAY)

    def _log(self, problem: Exception, transport: str, *, is_failure: bool, is_stable: bool) -> None:
        """Log the end of a connection.

        Warn of the first attempt if it has failed. Warn of a message that cannot be processed, but not again
        if the server repeats it on the next connections.
        """
        text = str(problem) if isinstance(problem, Disconnected) else repr(problem)
        gen_log.debug("channels of %s: connection lost: %s", self.url, text)
        last, self._warned_of = self._warned_of, "" if is_stable else self._warned_of or ""
        if isinstance(problem, InvalidMessageError):
            if text != last or is_stable:
                gen_log.warning(
                    "The channels of %s have sent by the transport %r what cannot be processed (%s): "
                    "the client connects again",
                    self.url,
                    transport,
                    text,
                )
            self._warned_of = text
        elif is_failure and last is None:
            gen_log.warning(
                "No connection to the channels of %s by the transport %r (%s): further attempts follow; "
                "check the URL, and that the server is running",
                self.url,
                transport,
                text,
            )

    def _end(self, error: Exception) -> None:
        self._error = error
        self.state.fail_all(error)

    async def _get_token(self) -> str | None:
        if not callable(self._token):
            return self._token
        token = self._token()
        return await token if inspect.isawaitable(token) else token

    async def _obtain_token(self) -> None:
        """Call the token function, again until it succeeds."""
        delay = _MIN_DELAY
        while True:
            try:
                self._current_token = await self._get_token()
                return
            except Exception:
                gen_log.warning(
                    "The token for the channels of %s could not be obtained; further attempts follow",
                    self.url,
                    exc_info=True,
                )
            await asyncio.sleep(_random_delay(None, None, delay))
            delay = min(2 * delay, _MAX_DELAY)

    def _schedule_renewal(self, expires_in: float | None) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None
        if expires_in is not None and callable(self._token):
            self._renewal = start_lazily(self._renew(expires_in * _RENEWAL))

    async def _renew(self, delay: float) -> None:
        await asyncio.sleep(delay)
        await self._obtain_token()
        self._renewal = None  # the reply schedules the next one
        self._request({"type": "token", "token": self._current_token})


def _random_delay(code: int | None, retry: float | None, delay: float) -> float:
    """Return the time before the next connection attempt, in seconds.

    :param code: the close code of the last connection.
    :param retry: the time that the server has named.
    :param delay: the longest time of the back-off.
    """
    if retry is not None:
        return random.uniform(0.5 * retry, 1.5 * retry)
    return random.uniform(*_DELAYS.get(code or 0, (0.5 * delay, delay)))


def connect(
    url: str,
    *,
    token: Token | None = None,
    transports: Sequence[str] = ("websocket", "stream", "poll"),
    max_items: int = 1000,
    max_waiting: int = 1000,
) -> ChannelClient:
    """Connect to a `ChannelHandler`. ::

        async with channels.connect("https://example.com/channels") as client:
            await client.subscribe("room:7")
            await client.publish("room:7", {"text": "Hello"})
            async for item in client:
                if isinstance(item, Message):
                    print(item.data)

    ``client = await connect(url)`` is possible too; close it with ``await client.close()``. When the
    connection is lost, the client connects again and continues at its positions. The iteration then contains
    every message once, and a `Gap` in place of messages that are no longer available. It also contains each
    `PresenceChange` of watched channels, and a `SubscriptionEnd` if the server ends a subscription.

    :param url: the URL of the handler, with the scheme ``http`` or ``https``.
    :param token: the token for `ChannelHandler.authenticate`, or a function that returns it and may be
        ``async``. It is called before each connection, and before the token expires.
    :param transports: the transports to use, in this order.
    :param max_items: the number of items to hold for the iteration. Above it, the client discards messages,
        and receives them again from the history when the program has read half of the items.
    :param max_waiting: the maximum number of messages that wait for a confirmation.
    :raises ChannelRequestError: (when awaited) if the server refuses the connection.
    :raises ValueError: if an argument is invalid.
    """
    return ChannelClient(url, token, transports, max_items, max_waiting)


connect.__module__ = "tornado.channels"  # the module that exports it

__all__ = ["ChannelClient", "connect"]
