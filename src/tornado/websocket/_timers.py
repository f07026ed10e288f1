"""The timers of a WebSocket: keep-alive pings, the timeout of the closing handshake, and the release of idle
compressors.

All connections of an event loop share one timer (see `tornado.http1connection._deadline_scheduler`). A
connection has one deadline: the close timeout if it is closing, otherwise the next ping or the timeout of the
last ping. A connection with compression has a second deadline, the next check of its compressor
(`IdleCompressorRelease`), which is independent of pings. A connection without deadlines is not in the
scheduler.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from tornado.http1connection._deadline_scheduler import NEVER
from tornado.web._client_disconnect import scheduler_of

if TYPE_CHECKING:
    from tornado.websocket._protocol import WebSocketProtocol13

_SCHEDULER = "_tornado_websockets"
#: The interval between two checks of a compressor, in seconds. If the connection has sent no message since
#: the previous check, the compressor is released. With zlib's defaults this frees about 260 KB; creating a
#: new compressor takes a tenth of a millisecond.
RELEASE_AFTER = 60.0


class IdleCompressorRelease:
    """The periodic check that releases an idle compressor, for connections that negotiated compression."""

    __slots__ = ("_deadline", "_protocol", "_sent")

    def __init__(self, protocol: WebSocketProtocol13) -> None:
        self._deadline = NEVER
        self._protocol = protocol
        self._sent = 0
        scheduler_of(protocol.stream._loop, _SCHEDULER).add(self, protocol.stream._loop)
        self._schedule_check()

    def _schedule_check(self) -> None:
        scheduler_of(self._protocol.stream._loop, _SCHEDULER).set(self, monotonic(), RELEASE_AFTER)

    def _expired(self) -> None:
        before, self._sent = self._sent, self._protocol._message_bytes_out
        if before == self._sent:
            self._protocol._core.release()
        self._schedule_check()


def _set_deadline(protocol: WebSocketProtocol13, seconds: float) -> None:
    # If a failed send has just closed the stream, nothing would remove the connection from the scheduler.
    if protocol.stream.closed():
        return
    loop = protocol.stream._loop
    scheduler = scheduler_of(loop, _SCHEDULER)
    scheduler.add(protocol, loop)
    scheduler.set(protocol, monotonic(), seconds)


def start(protocol: WebSocketProtocol13) -> None:
    """Schedule the first ping and the checks of the compressor. Programs may call this again."""
    if protocol.is_closing():
        return
    interval = protocol.params.ping_interval
    if interval:
        _set_deadline(protocol, interval)
    if protocol._idle_compressor is None and protocol._compresses():
        protocol._idle_compressor = IdleCompressorRelease(protocol)


def close_within(protocol: WebSocketProtocol13, seconds: float) -> None:
    """Set the close timeout: the connection is closed after `seconds`."""
    _set_deadline(protocol, seconds)


def remove(protocol: WebSocketProtocol13) -> None:
    """Remove a closed connection from the scheduler."""
    protocol._deadline = NEVER
    scheduler = scheduler_of(protocol.stream._loop, _SCHEDULER)
    scheduler.discard(protocol)
    if protocol._idle_compressor is not None:
        scheduler.discard(protocol._idle_compressor)
        protocol._idle_compressor = None


def pong_received(protocol: WebSocketProtocol13) -> None:
    """Record the reply to a ping: the next ping is due `ping_interval` after the last one."""
    params = protocol.params
    if protocol._pinged is not None:
        protocol._pinged = None
        if params.ping_timeout and not protocol.is_closing():
            protocol._deadline += params.ping_interval - params.ping_timeout


def deadline_expired(protocol: WebSocketProtocol13) -> None:
    """Handle an expired deadline: close the connection, check for a pong, or send a ping."""
    if protocol.is_closing():
        protocol._abort()
        return
    params = protocol.params
    if not params.ping_interval:
        return  # called by the program, not by the scheduler
    if protocol._pinged is not None and params.ping_timeout:
        _wait_for_pong(protocol, params.ping_timeout)
    else:
        _ping(protocol, params.ping_timeout or params.ping_interval)


def _wait_for_pong(protocol: WebSocketProtocol13, timeout: float) -> None:
    """Close the connection if no pong has arrived in time, unless the peer is known to be alive.

    The peer is alive if data was received since the ping, or if pending output was sent. If the backlog
    of messages may have paused reading, a pong may be unread. In this case another ping is sent: if the peer
    has gone, the ping can cause a reset, which is detected even while reading is paused.
    """
    pinged, now = protocol._pinged, _progress(protocol)
    assert pinged is not None
    received = now[0] != pinged[0]
    sent_output = pinged[2] and now[1] != pinged[1]  # counts only if the socket's send buffer was full
    if received or sent_output:
        protocol._pinged = now
        _set_deadline(protocol, timeout)
    elif protocol._is_backlogged():
        _ping(protocol, timeout)
    else:
        protocol.record_close_error("no reply to a ping within %g s (websocket_ping_timeout)", timeout)
        protocol.close(reason="ping timed out")


def _progress(protocol: WebSocketProtocol13) -> tuple[int, int, int]:
    """Return the numbers of bytes received, bytes passed to the socket, and bytes that wait to be sent."""
    waiting = protocol.stream._pending_output
    return protocol._wire_bytes_in, protocol._wire_bytes_out - waiting, waiting


def _ping(protocol: WebSocketProtocol13, timeout: float) -> None:
    protocol._pinged = _progress(protocol)
    protocol.write_ping(b"")
    _set_deadline(protocol, timeout)


__all__ = [
    "RELEASE_AFTER",
    "IdleCompressorRelease",
    "close_within",
    "deadline_expired",
    "pong_received",
    "remove",
    "start",
]
