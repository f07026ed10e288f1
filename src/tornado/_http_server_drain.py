"""The drain of an HTTP server: its connections end without losing a request (`.HTTPServer.drain`).

From the beginning of a drain, every response announces ``Connection: close``. Each kind of connection ends in
its own way:

===========================  =============================================================================
serving a request            after the response; at the end of the grace period, its handler is cancelled
receiving a request          likewise: it is served as soon as it is complete
idle                         after the response to its next request, or when it has been silent for
                             ``idle_timeout`` seconds
TLS handshake                as an idle connection, from the end of the handshake
event stream                 ``on_drain`` of its handler is called, then the stream ends with ``retry``
WebSocket                    ``on_drain`` of its handler is called, then it is closed with 1012
===========================  =============================================================================

A connection is half-closed first, and closed when its peer closes it, too: closing a socket with unread input
would reset the connection, and the peer could lose the last response.

A server without a drain does no work for it: `ConnectionDrain` looks at the connections in steps. Only what
happens once in the life of a connection is reported to it, through ``drain`` of the connection parameters.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from tornado.http1connection import HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.http1connection._states import ConnectionState, ExchangeState
from tornado.iostream import SSLIOStream
from tornado.log import gen_log

#: Time between two checks of the connections, in seconds, and the minimum ratio of this time to the duration
#: of a check, so that checking 100,000 connections does not occupy the event loop.
_STEP = 0.01
_STEP_FACTOR = 20
#: The maximum number of idle connections that are closed in one step.
_MAX_CLOSED = 256
#: The minimum time for which a half-closed connection waits for its peer, in seconds.
_MIN_PAUSE = 0.2
#: Time in seconds that cancelled handlers have to end, and their responses to be sent.
_CANCEL_TIME = 1.0
#: The maximum number of cancelled handlers that the log line names.
_MAX_NAMES = 20


@dataclass(frozen=True)
class DrainResult:
    """The result of `.HTTPServer.drain`.

    :ivar completed: the number of requests that ended normally during the drain.
    :ivar idle_closed: the number of connections that were closed while they were idle.
    :ivar websockets: the number of WebSockets that were closed with 1012 (service restart).
    :ivar event_streams: the number of event streams that were ended.
    :ivar cancelled: descriptions of the handlers that were cancelled after the grace period, such as ``"GET
        /slow SlowHandler, 31.2 s"`` with the time since the beginning of the request.
    :ivar connections_cut: the number of connections that were closed with data outstanding: an incomplete
        request or response, or a request that arrived after an idle connection had been half-closed.
    """

    completed: int = 0
    idle_closed: int = 0
    websockets: int = 0
    event_streams: int = 0
    cancelled: tuple[str, ...] = ()
    connections_cut: int = 0

    @property
    def clean(self) -> bool:
        """Whether no handler was cancelled and no connection was cut."""
        return not self.cancelled and not self.connections_cut


class LongLivedConnection(Protocol):
    """A WebSocket or an event stream, which a drain ends before its peer does."""

    #: Whether it is a WebSocket; otherwise it is an event stream.
    is_websocket: bool

    def notify_drain(self) -> asyncio.Future[Any] | None:
        """Call ``on_drain`` of the handler, and log its exception.

        :returns: its Future if it returned an awaitable.
        """

    def end_for_drain(self, retry: int | None) -> bool:
        """End the connection.

        :param retry: the reconnection time of an event stream in milliseconds; None for that of the handler.
        :returns: False if it had ended before.
        """

    def describe(self) -> str:
        """Return a description of the request for the log."""


class ConnectionDrain:
    """The drain of the connections of one server.

    :param params: the parameters of the connections, whose `drain` is set to this object.
    :param upgraded: returns the connections that were upgraded to another protocol.
    :param describe: returns a description of an exchange for the log.
    :ivar idle_timeout: how long a connection must be silent to be closed while it is idle, in seconds.
    :ivar max_pause: how long a half-closed connection waits for its peer, in seconds.
    """

    def __init__(
        self,
        params: HTTP1ConnectionParameters,
        upgraded: Callable[[], Iterable[LongLivedConnection]],
        describe: Callable[[Any], str],
        idle_timeout: float = 1.0,
        batch_size: int | None = None,
        batch_interval: float = 0.0,
        retry: int | None = None,
    ) -> None:
        self._params = params
        self._upgraded = upgraded
        self._describe = describe
        self.idle_timeout = idle_timeout
        self.max_pause = max(idle_timeout, _MIN_PAUSE)
        self._batch_size = batch_size
        self._batch_interval = batch_interval
        self._retry = retry
        self._restores_keep_alive = False
        self._deadline = float("inf")
        #: The requests whose response had begun, so that it does not announce the end of the connection.
        self._begun: list[Any] = []
        #: The WebSockets and event streams that were found, and those of them that are still to be ended.
        self._found: set[LongLivedConnection] = set()
        self._queue: deque[LongLivedConnection] = deque()
        self._next_batch = 0.0
        #: The handlers that run without a connection, each with a function that describes it.
        self._running: dict[asyncio.Future[Any], Callable[[], str]] = {}
        #: The last time at which the TLS handshake of a connection was seen to be incomplete.
        self._handshakes: dict[HTTP1ServerConnection, float] = {}
        self._idle_closed: set[HTTP1ServerConnection] = set()
        self._completed = self._websockets = self._event_streams = 0
        self._cut_connections = self._idle_count = 0
        self._cancelled: list[str] = []

    @property
    def _connections(self) -> list[HTTP1ServerConnection]:
        return list(self._params.deadlines.watched)  # type: ignore[arg-type]  # its elements are these

    # -- the beginning --

    def begin(self) -> None:
        """Announce the end of each connection with its next response. End WebSockets and event streams."""
        params = self._params
        params.drain = self
        if not params.no_keep_alive:
            self._restores_keep_alive = params.no_keep_alive = True
        for connection in self._connections:
            exchange = connection.exchange
            if exchange is not None:
                exchange.no_keep_alive = True
                if exchange.head_sent and not exchange.close_after and exchange.drainable is None:
                    self._begun.append(exchange)
        self._look_for_streams()
        self._end_batch(monotonic())

    def revoke(self) -> None:
        """Keep connections open again. The WebSockets and event streams remain closed."""
        self._params.drain = None
        if self._restores_keep_alive:
            self._restores_keep_alive = self._params.no_keep_alive = False

    def serves(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether `task` serves one of the requests for which the drain waits."""
        if task is None:
            return False
        return any(_task_of(each.exchange) is task for each in self._connections if each.exchange is not None)

    # -- what connections report --

    def request_finished(self, exchange: Any) -> bool:
        """Count a request whose connection closes after the response, and wait for its handler.

        :returns: True, because the client may have sent another request: a reset could lose the response.
        """
        if exchange.drainable is None:
            self._completed += 1
        task = _task_of(exchange)
        if task is not None:
            self.wait_for(task, lambda: self._describe(exchange))
        return True

    def input_discarded(self, connection: HTTP1ServerConnection) -> None:
        """Record that input arrived on a connection that does not serve requests any more."""
        if connection in self._idle_closed:
            self._idle_closed.discard(connection)
            self._idle_count -= 1
            self._cut_connections += 1

    def wait_for(self, future: asyncio.Future[Any], describe: Callable[[], str]) -> None:
        """Wait for a Future of a handler whose connection has ended.

        :param describe: returns a description of the handler.
        """
        if not future.done() and future not in self._running:
            self._running[future] = describe
            future.add_done_callback(self._forget)

    def _forget(self, future: asyncio.Future[Any]) -> None:
        self._running.pop(future, None)

    # -- WebSockets and event streams --

    def _look_for_streams(self) -> None:
        found = [each.exchange.drainable for each in self._connections if each.exchange is not None]
        for each in (*found, *self._upgraded()):
            if each is not None and each not in self._found:
                self._found.add(each)
                self._queue.append(each)

    def _end_batch(self, now: float) -> None:
        """End the next WebSockets and event streams, if it is time."""
        if not self._queue or now < self._next_batch:
            return
        self._next_batch = now + self._batch_interval
        size = len(self._queue) if self._batch_size is None else self._batch_size
        for _ in range(min(size, len(self._queue))):
            self._end_stream(self._queue.popleft())

    def _end_stream(self, stream: LongLivedConnection) -> None:
        future = stream.notify_drain()
        if future is None or future.done():
            self._end_notified(stream)
        else:
            self.wait_for(future, lambda: f"on_drain of {stream.describe()}")
            future.add_done_callback(lambda _: self._end_notified(stream))

    def _end_notified(self, stream: LongLivedConnection) -> None:
        """End a WebSocket or an event stream whose ``on_drain`` has ended."""
        if not stream.end_for_drain(self._retry):
            return
        if stream.is_websocket:
            self._websockets += 1
        else:
            self._event_streams += 1

    # -- the drain --

    def limit(self, grace: float) -> None:
        """End the grace period at most `grace` seconds from now."""
        self._deadline = min(self._deadline, monotonic() + grace)

    async def run(self, accepting: asyncio.Future[Any]) -> DrainResult:
        """Wait until all connections have ended, or until the grace period is over and the rest is cut.

        :param accepting: a Future that is done when no more connections will be accepted.
        """
        await self._wait_until(lambda: accepting.done() and self._is_over())
        if not self._is_over():
            await self._cut(accepting)
        self._completed += sum(each.state is ExchangeState.FINISHED for each in self._begun)
        return DrainResult(
            self._completed,
            self._idle_count,
            self._websockets,
            self._event_streams,
            tuple(self._cancelled),
            self._cut_connections,
        )

    async def _wait_until(self, ended: Callable[[], bool]) -> None:
        """Close silent connections, and end WebSockets and event streams, until `ended` or the deadline."""
        while True:
            began = monotonic()
            closed = self._close_silent(began)
            self._look_for_streams()
            self._end_batch(began)
            now = monotonic()
            if now >= self._deadline or ended():
                return
            pause = 0.0 if closed == _MAX_CLOSED else max(_STEP, (now - began) * _STEP_FACTOR)
            await asyncio.sleep(min(pause, max(0.0, self._deadline - now)))

    def _is_over(self) -> bool:
        """Whether no connection is open and no handler runs."""
        return not (self._params.deadlines.watched or self._queue or self._running or any(self._upgraded()))

    def _close_silent(self, now: float) -> int:
        """Close connections that have been idle for `idle_timeout` seconds; return their number."""
        since = now - self.idle_timeout
        count = 0
        for connection in self._connections:
            stream = connection.stream
            if isinstance(stream, SSLIOStream) and stream.handshaking:
                self._handshakes[connection] = now
            elif self._handshakes.get(connection, since) <= since and _close_if_idle(connection, since):
                self._idle_closed.add(connection)
                count += 1
                if count == _MAX_CLOSED:
                    break
        self._idle_count += count
        return count

    # -- the end of the grace period --

    async def _cut(self, accepting: asyncio.Future[Any]) -> None:
        """Cancel the handlers, and then close all connections."""
        while self._queue:
            self._end_stream(self._queue.popleft())
        tasks = dict(self._running)
        for connection in self._connections:
            exchange = connection.exchange
            task = None if exchange is None else _task_of(exchange)
            if task is not None:
                tasks[task] = lambda exchange=exchange: self._describe(exchange)  # type: ignore[misc]
        self._cancelled = [describe() for describe in tasks.values()]
        self._log_cancelled()
        for task in tasks:
            task.cancel()
        self._deadline = monotonic() + _CANCEL_TIME
        await self._wait_until(lambda: self._is_over() or not self._has_output(tasks))
        accepting.cancel()
        for connection in self._connections:
            self._close(connection)
        for upgraded in self._upgraded():
            upgraded.stream.close()  # type: ignore[attr-defined]  # a WebSocket
        # The handlers are notified of the disconnect before this method returns.
        await asyncio.sleep(0)

    def _has_output(self, tasks: Iterable[asyncio.Future[Any]]) -> bool:
        """Whether a cancelled handler runs, or a response or a close frame has not reached its peer."""
        return (
            any(not task.done() for task in tasks)
            or any(each.state is not ConnectionState.SERVING for each in self._connections)
            or any(self._upgraded())
        )

    def _close(self, connection: HTTP1ServerConnection) -> None:
        if _close_if_idle(connection, monotonic()):
            self._idle_closed.add(connection)
            self._idle_count += 1
        elif connection.state is not ConnectionState.LINGERING or connection.stream.pending_output:
            self._cut_connections += 1
        connection.stream.close()

    def _log_cancelled(self) -> None:
        names = self._cancelled
        if names:
            more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
            text = "drain: handlers cancelled at the end of the grace period: %s%s"
            gen_log.warning(text, "; ".join(names[:_MAX_NAMES]), more)


def _close_if_idle(connection: HTTP1ServerConnection, since: float) -> bool:
    """Close a connection if it is idle, unless a request is arriving.

    The socket is read once more, because the event loop may not have processed all input. The connection is
    half-closed first, because closing it would reset a request in transit.

    :param since: the connection must have been idle since this time (`monotonic`, in seconds).
    :returns: whether the connection has been closed.
    """
    idle = connection.idle_since()
    if idle is None or idle > since or not _is_idle(connection):
        return False
    connection.stream.receive_now()
    if not _is_idle(connection):
        return False
    connection.close_after_output(linger=True)
    return True


def _is_idle(connection: HTTP1ServerConnection) -> bool:
    """Whether a connection waits for a request of which nothing has been received."""
    return (
        connection.state is ConnectionState.SERVING
        and connection.exchange is None
        and not connection.has_eof
        and not connection.peek(1)
    )


def _task_of(exchange: Any) -> asyncio.Future[Any] | None:
    """Return the task or Future of the handler of an exchange, if it is waiting."""
    for future in (exchange.task, exchange.input.waiting):
        if future is not None and not future.done():
            return future  # type: ignore[no-any-return]
    return None
