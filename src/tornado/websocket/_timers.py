"""The timers of a WebSocket: keep-alive pings, the timeout of the closing handshake, and the release of idle
compressors.

All connections of an event loop share one timer (see `tornado._loop.deadlines`). A connection has at most two
deadlines, which are independent:

- `ConnectionTimer`: the close timeout if the connection is closing, otherwise the next ping or the timeout of
  the last ping.
- `IdleCompressorRelease`: the next check of the compressor, if the connection has one.

A connection without deadlines has neither object.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import NamedTuple, Protocol

from tornado._loop.deadlines import NEVER, DeadlineScheduler
from tornado._loop.per_loop import PerLoop
from tornado.iostream._interface import Transport
from tornado.websocket._parameters import WebSocketParams

_schedulers = PerLoop("WebSocket timers", lambda loop: DeadlineScheduler())
#: The interval between two checks of a compressor, in seconds. If the connection has sent no message since
#: the previous check, the compressor is released. With zlib's defaults this frees about 260 KB; creating a
#: new compressor takes a tenth of a millisecond.
RELEASE_AFTER = 60.0


class Progress(NamedTuple):
    """The progress of a connection in both directions, in bytes."""

    received: int
    #: The bytes that the socket has accepted.
    sent: int
    #: The bytes that wait until the socket accepts them.
    waiting: int


class TimedConnection(Protocol):
    """The methods of a connection that its timers use."""

    stream: Transport
    params: WebSocketParams

    def is_closing(self) -> bool:
        """Whether either side has closed the connection."""

    def is_backlogged(self) -> bool:
        """Whether enough input waits for delivery that reading may have paused."""

    def progress(self) -> Progress:
        """Return the progress so far."""

    def write_ping(self, data: bytes) -> None:
        """Send a ping."""

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start the closing handshake."""

    def on_connection_close(self) -> None:
        """Close the connection immediately."""

    def record_close_error(self, text: str, *args: object) -> None:
        """Store and log the reason why this side ends the connection."""

    def sent_size(self) -> int:
        """Return the total size of the messages sent, in bytes."""

    def release_compressor(self) -> None:
        """Release the memory of the compressor until the next message."""


class ConnectionTimer:
    """The deadline of a connection: the next ping, the timeout of the last ping, or the close timeout.

    :param connection: the connection, which has a stream.
    :ivar deadline: the time at which `deadline_passed` is called; see `tornado._loop.deadlines`.
    """

    __slots__ = ("_connection", "_pinged", "deadline")

    def __init__(self, connection: TimedConnection) -> None:
        self.deadline = NEVER
        self._connection = connection
        #: The progress at the time of the last ping; None if that ping was answered.
        self._pinged: Progress | None = None

    @property
    def awaits_pong(self) -> bool:
        """Whether the last ping has not been answered."""
        return self._pinged is not None

    def set(self, seconds: float) -> None:
        """Set the deadline: `deadline_passed` is called after `seconds`."""
        stream = self._connection.stream
        # If a failed send has just closed the stream, nothing would remove the timer from the scheduler.
        if stream.closed():
            return
        timers(stream.loop).start(self, stream.loop, seconds)

    def cancel(self) -> None:
        """Remove the deadline of a closed connection."""
        self.deadline = NEVER
        timers(self._connection.stream.loop).discard(self)

    def pong_received(self) -> None:
        """Record the reply to a ping: the next ping is due ``ping_interval`` after the last one."""
        params = self._connection.params
        if self._pinged is not None:
            self._pinged = None
            if params.ping_timeout and not self._connection.is_closing():
                self.deadline += params.ping_interval - params.ping_timeout

    def deadline_passed(self) -> None:
        """Close the connection, check for a pong, or send a ping."""
        connection = self._connection
        params = connection.params
        if connection.is_closing():
            connection.on_connection_close()
        elif self._pinged is not None and params.ping_timeout:
            self._check_pong(self._pinged, params.ping_timeout)
        else:
            self._ping(params.ping_timeout or params.ping_interval)

    def _check_pong(self, pinged: Progress, timeout: float) -> None:
        """Close the connection if no pong has arrived in time, unless the peer is known to be alive.

        The peer is alive if data has been received since the ping, or if pending output has been sent. If the
        backlog of messages may have paused reading, a pong may be unread. In this case another ping is sent:
        if the peer has gone, the ping can cause a reset, which is detected even while reading is paused.
        """
        connection = self._connection
        now = connection.progress()
        received = now.received != pinged.received
        # Sent output counts only if the socket's send buffer was full.
        sent_output = pinged.waiting and now.sent != pinged.sent
        if received or sent_output:
            self._pinged = now
            self.set(timeout)
        elif connection.is_backlogged():
            self._ping(timeout)
        else:
            connection.record_close_error("no reply to a ping within %g s (websocket_ping_timeout)", timeout)
            connection.close(reason="ping timed out")

    def _ping(self, timeout: float) -> None:
        self._pinged = self._connection.progress()
        self._connection.write_ping(b"")
        self.set(timeout)


class IdleCompressorRelease:
    """The periodic check that releases an idle compressor, for connections that negotiated compression.

    :ivar deadline: the time of the next check; see `tornado._loop.deadlines`.
    """

    __slots__ = ("_connection", "_sent", "deadline")

    def __init__(self, connection: TimedConnection) -> None:
        self.deadline = NEVER
        self._connection = connection
        self._sent = 0
        timers(connection.stream.loop).start(self, connection.stream.loop, RELEASE_AFTER)

    def _schedule_check(self) -> None:
        timers(self._connection.stream.loop).set(self, monotonic(), RELEASE_AFTER)

    def cancel(self) -> None:
        """Stop the checks of a closed connection."""
        timers(self._connection.stream.loop).discard(self)

    def deadline_passed(self) -> None:
        """Release the compressor if no message was sent since the last check."""
        before, self._sent = self._sent, self._connection.sent_size()
        if before == self._sent:
            self._connection.release_compressor()
        self._schedule_check()


def timers(loop: asyncio.AbstractEventLoop) -> DeadlineScheduler:
    """Return the scheduler of the timers of a loop's connections."""
    return _schedulers.get(loop)


__all__ = [
    "RELEASE_AFTER",
    "ConnectionTimer",
    "IdleCompressorRelease",
    "Progress",
    "TimedConnection",
    "timers",
]
