"""The connection of a process to NATS.

It serves all channels, for commands and messages. When nats-py reconnects, it sends what it has not sent
before, to a server that may have lost its data. Therefore its reconnection is disabled, and this module
replaces a connection that is lost.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tornado._log_rate_limit import LogRateLimit
from tornado._loop.tasks import start_lazily
from tornado.channels._errors import BrokerUnavailableError
from tornado.channels._nats_echo import Echo
from tornado.channels._outage import Outage
from tornado.log import gen_log

#: The bounds of the delay between attempts to connect, in seconds.
_MIN_DELAY, _MAX_DELAY = 0.02, 0.4
#: The additional time for the response to a ping after the time limit, in seconds.
_GRACE = 0.1
#: The maximum size of the messages of a channel that wait in this process, in bytes.
_MAX_PENDING = 32 * 2**20
#: The delay until the history is read after messages were dropped, in seconds.
_DROPPED_DELAY = 0.1
#: The error for a message whose subject the user must not publish to, which nats-py converts to lower case.
_DENIED = re.compile(r'permissions violation for publish to "([^"]*)"')
_LOG = LogRateLimit(gen_log)
#: nats-py's own pings are not needed.
_NEVER = 10**6

#: The options of each connection. `Echo` must receive its own messages.
_OPTIONS: Mapping[str, Any] = {
    "allow_reconnect": False,
    "max_reconnect_attempts": 1,
    "no_echo": False,
    "ping_interval": _NEVER,
    "reconnect_time_wait": 0,
}
_OWN_OPTIONS = {*_OPTIONS, "servers", "error_cb", "closed_cb", "connect_timeout"}

Callback = Callable[[Any], Coroutine[Any, Any, None]]


class NATSConnection:
    """Connects to NATS again and again, and keeps subscriptions.

    :param servers: the URLs of the servers.
    :param options: further arguments of ``nats.connect``.
    :param ping_interval: the number of seconds between pings.
    :param timeout: the time limit for the response to a ping, for a connection attempt and for commands.
    :param connected: called when all subscriptions are established, and when messages were dropped.
    :param disconnected: called when the connection is lost, and when the first attempt fails.
    """

    def __init__(
        self,
        servers: list[str],
        options: Mapping[str, Any],
        ping_interval: float,
        timeout: float,
        connected: Callable[[], None],
        disconnected: Callable[[], None],
    ) -> None:
        import nats.errors

        self._nats: Any = nats
        #: The exceptions that mean that a connection or a command has failed.
        self.errors: tuple[type[Exception], ...] = (nats.errors.Error, OSError, TimeoutError)
        self.address = ", ".join(map(_address, servers))
        self._servers = servers
        self._options = options
        self._ping_interval = ping_interval
        self._timeout = timeout
        self._connected = connected
        self._disconnected = disconnected
        self._client: Any = None
        self._echo: Echo | None = None
        self._ready = asyncio.Event()
        #: The callbacks of all subjects to which the program has subscribed.
        self._wanted: dict[str, Callback] = {}
        #: The subscriptions of the current connection; None while one is requested.
        self._subscriptions: dict[str, Any] = {}
        self._confirmed: set[str] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False
        self._outage = Outage(f"NATS at {self.address}")
        self._reread: asyncio.TimerHandle | None = None
        #: The subject of the last message that was rejected because of a missing permission.
        self._denied: str | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._task = start_lazily(self._run())

    async def close(self) -> None:
        """Close the connection."""
        self._is_closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    # -- commands --

    async def client(self) -> Any:
        """Return the connected client of nats-py.

        :raises BrokerUnavailableError: if there is none within the time limit.
        """
        if not self._ready.is_set():
            try:
                async with asyncio.timeout(self._timeout):
                    await self._ready.wait()
            except TimeoutError as error:
                raise BrokerUnavailableError(f"there is no connection to NATS at {self.address}") from error
        return self._client

    async def call(self, operation: Awaitable[Any]) -> Any:
        """Wait for the result of an operation.

        :raises BrokerUnavailableError: if it fails or takes longer than the time limit.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await operation
        except TimeoutError as error:
            raise BrokerUnavailableError(
                f"NATS at {self.address} did not respond within {self._timeout} s"
            ) from error
        except self.errors as error:
            raise BrokerUnavailableError(f"NATS at {self.address}: {error}") from error

    def is_denied(self, subject: str) -> bool:
        """Whether the last message that was rejected because of a missing permission had this subject."""
        return subject.lower() == self._denied

    # -- subscriptions --

    async def subscribe(self, subject: str, callback: Callback) -> None:
        """Subscribe to a subject, and return when the server has processed it.

        :param callback: called with each message of nats-py.
        :raises BrokerUnavailableError: if this takes longer than the time limit.
        """
        self._wanted[subject] = callback
        await self.call(self._subscribe(subject))

    async def _subscribe(self, subject: str) -> None:
        client = await self.client()
        if subject in self._confirmed:
            return
        await self._request(client, subject)
        echo = self._echo
        if client is self._client and echo is not None:
            await echo.round_trip(self._timeout)
        if client is self._client and subject in self._subscriptions:
            self._confirmed.add(subject)

    def is_wanted(self, subject: str) -> bool:
        """Whether the program has subscribed to a subject."""
        return subject in self._wanted

    def unsubscribe(self, subject: str) -> None:
        """End the subscription to a subject without waiting."""
        self._wanted.pop(subject, None)
        self._confirmed.discard(subject)
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            self._end(subscription)

    def is_confirmed(self, subject: str) -> bool:
        """Whether the server has processed the subscription to a subject."""
        return subject in self._confirmed

    def reread(self) -> None:
        """Report soon that messages may have been missed."""
        if self._reread is None and self._ready.is_set():
            self._reread = asyncio.get_running_loop().call_later(_DROPPED_DELAY, self._after_drop)

    async def _request(self, client: Any, subject: str) -> None:
        callback = self._wanted.get(subject)
        if callback is None or subject in self._subscriptions:
            return
        self._subscriptions[subject] = None
        try:
            subscription = await client.subscribe(subject, cb=callback, pending_bytes_limit=_MAX_PENDING)
        except BaseException:
            self._subscriptions.pop(subject, None)
            raise
        if client is self._client and subject in self._wanted:
            self._subscriptions[subject] = subscription
        else:
            self._end(subscription)

    def _end(self, subscription: Any) -> None:
        task = start_lazily(self._unsubscribe(subscription))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _unsubscribe(self, subscription: Any) -> None:
        try:
            await subscription.unsubscribe()
        except self.errors:
            pass  # the connection is lost, and the subscription with it

    # -- connection --

    async def _run(self) -> None:
        """Connect again and again, until `close`."""
        delay = _MIN_DELAY
        # Its cancellation may be lost: nats-py uses `asyncio.wait_for`, which in Python 3.11 suppresses some.
        while not self._is_closed:
            was_ready = False
            try:
                await self._use()
            except self.errors as error:
                was_ready = self._ready.is_set()
                self._report_lost(error)
            except Exception as error:
                gen_log.error("Exception in the connection to NATS at %s", self.address, exc_info=True)
                self._report_lost(error)
            finally:
                self._reset()
            delay = _MIN_DELAY if was_ready else min(2 * delay, _MAX_DELAY)
            await asyncio.sleep(delay * random.uniform(0.5, 1))

    def _reset(self) -> None:
        self._ready.clear()
        self._client = self._echo = None
        self._subscriptions.clear()
        self._confirmed.clear()
        if self._reread is not None:
            self._reread.cancel()
            self._reread = None

    async def _use(self) -> None:
        """Use one connection until it is lost, or until `close`.

        :raises OSError: or another of the `errors`, if it is lost.
        """
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[BaseException] = loop.create_future()
        client = self._nats.NATS()
        try:
            async with asyncio.timeout(self._timeout + _GRACE):
                await client.connect(
                    self._servers,
                    error_cb=partial(self._error, lost),
                    closed_cb=partial(_set_lost, lost, ConnectionError("the connection was closed")),
                    connect_timeout=self._timeout,
                    **_OPTIONS,
                    **self._options,
                )
            self._client = client
            for subject in list(self._wanted):
                await self._request(client, subject)
            self._echo = echo = Echo(client)
            await echo.start()
            await echo.round_trip(self._timeout)
            self._confirmed.update(self._subscriptions)
            if not self._is_closed:
                self._report_ready()
            while not self._is_closed:
                await asyncio.wait([lost], timeout=self._ping_interval)
                if lost.done():
                    raise lost.result()
                await self._ping(echo)
        finally:
            await self._close(client)

    async def _ping(self, echo: Echo) -> None:
        for limit in (self._timeout, _GRACE):
            try:
                await echo.round_trip(limit)
                return
            except TimeoutError:
                # If the event loop was blocked, the ping may be unsent, or the response unread.
                continue
        raise TimeoutError(f"no response to a ping within {self._timeout} s")

    async def _close(self, client: Any) -> None:
        try:
            # Closing waits until everything is sent, for which a suspended server would need forever.
            async with asyncio.timeout(_GRACE):
                await client.close()
        except Exception:
            pass  # nats-py raises AssertionError, for example, if it has not connected

    async def _error(self, lost: asyncio.Future[BaseException], error: Exception) -> None:
        """Process an error that nats-py reports."""
        denied = _DENIED.search(str(error))
        if isinstance(error, self._nats.errors.SlowConsumerError):
            self.reread()
        elif denied is not None:
            # The connection remains usable. Without the permission for a subscription it would not be.
            self._denied = denied[1]
            _LOG.log(
                "denied",
                logging.WARNING,
                "NATS at %s: the user has no permission to publish to %s",
                self.address,
                self._denied,
            )
        elif not lost.done():
            lost.set_result(error if isinstance(error, self.errors) else ConnectionError(repr(error)))

    def _after_drop(self) -> None:
        self._reread = None
        self._connected()

    def _report_lost(self, error: BaseException) -> None:
        if self._outage.begin(error):
            self._disconnected()

    def _report_ready(self) -> None:
        self._outage.end()
        self._ready.set()
        self._connected()


def check_servers(servers: Sequence[str]) -> None:
    """Check the URLs of servers.

    :raises ValueError: if there are none, or one is invalid.
    """
    if not servers:
        raise ValueError("servers must contain the URL of at least one server")
    for url in servers:
        try:
            parts = urlsplit(url if "//" in url else f"nats://{url}")
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"servers contains the invalid URL {_address(url)!r}: {error}") from None
        if not parts.hostname:
            raise ValueError(f"servers contains a URL without a host: {url!r}")


def check_options(options: Mapping[str, Any]) -> None:
    """Check the names of options for ``nats.connect``.

    :raises ValueError: if nats-py does not have one, or this module itself sets it.
    """
    import nats

    connect: Any = nats.NATS.connect  # type: ignore[attr-defined]
    known = inspect.signature(connect).parameters
    for name in options:
        if name in _OWN_OPTIONS:
            raise ValueError(f"options must not contain {name!r}, which NATSBroker itself sets")
        if name not in known:
            raise ValueError(f"options contains {name!r}, which nats.connect does not have")


async def _set_lost(lost: asyncio.Future[BaseException], error: BaseException) -> None:
    if not lost.done():
        lost.set_result(error)


def _address(url: str) -> str:
    """Return a URL without its user name and password."""
    return urlsplit(url if "//" in url else f"nats://{url}").netloc.rpartition("@")[2]


__all__ = ["NATSConnection", "check_options", "check_servers"]
