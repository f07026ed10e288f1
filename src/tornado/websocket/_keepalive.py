"""What happens to a WebSocket by the clock: pings, the end of a closing handshake that drags on, and memory
that has not been used for long.

All connections of a loop share one timer (see `tornado.http1connection._watch`). A connection has one
deadline: that of its end if it is closing, else of its next ping or the pong to its last one, else of the
next look at its compressor. A connection that has none of these is not in the list.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from tornado.http1connection._watch import NEVER
from tornado.web._departure import watch_of

if TYPE_CHECKING:
    from tornado.websocket._protocol import WebSocketProtocol13

_WATCH = "_tornado_websockets"
#: Seconds without a message sent after which a compressor is given back: some 260 KB at zlib's defaults, for
#: a tenth of a millisecond when it is made again. It is looked for so often, or with each ping.
RELEASE_AFTER = 60.0


def _set(protocol: WebSocketProtocol13, seconds: float) -> None:
    loop = protocol.stream._loop
    watch = watch_of(loop, _WATCH)
    watch.add(protocol, loop)
    watch.set(protocol, monotonic(), seconds)


def start(protocol: WebSocketProtocol13) -> None:
    """A connection is open."""
    interval = protocol.params.ping_interval
    if interval:
        _set(protocol, interval)
    elif protocol._compresses():
        _set(protocol, RELEASE_AFTER)


def end_within(protocol: WebSocketProtocol13, seconds: float) -> None:
    """The connection is closing, and will be cut off after so many seconds."""
    if not protocol.stream.closed():
        _set(protocol, seconds)


def forget(protocol: WebSocketProtocol13) -> None:
    """The connection is closed."""
    protocol._deadline = NEVER
    watch_of(protocol.stream._loop, _WATCH).discard(protocol)


def pong_received(protocol: WebSocketProtocol13) -> None:
    """The peer has answered a ping: the next one is due an interval after that."""
    params = protocol.params
    if protocol._pinged is not None:
        protocol._pinged = None
        if params.ping_timeout and not protocol.is_closing():
            protocol._deadline += params.ping_interval - params.ping_timeout


def look_after(protocol: WebSocketProtocol13) -> None:
    """The deadline has passed."""
    if protocol.is_closing():
        protocol._abort()
        return
    if protocol._compresses():
        _release(protocol)
    params = protocol.params
    if not params.ping_interval:
        _set(protocol, RELEASE_AFTER)
    elif protocol._pinged is not None and params.ping_timeout:
        _wait_for_pong(protocol, params.ping_timeout)
    else:
        _ping(protocol, params.ping_timeout or params.ping_interval)


def _release(protocol: WebSocketProtocol13) -> None:
    """Give the compressor back if nothing was sent for long."""
    now, sent = monotonic(), protocol._message_bytes_out
    if protocol._used is None or protocol._used[0] != sent:
        protocol._used = sent, now
    elif now - protocol._used[1] >= RELEASE_AFTER:
        protocol._core.release()


def _wait_for_pong(protocol: WebSocketProtocol13, timeout: float) -> None:
    """No pong has come in time. There is an excuse where the peer does send something, or takes what waits
    for it; or where so much is to be handled that no more is read: a reset is all that can be seen then.
    """
    pinged, now = protocol._pinged, _progress(protocol)
    assert pinged is not None
    received = now[0] != pinged[0]
    took = pinged[2] and now[1] != pinged[1]  # for the system's own buffer was full
    if received or took:
        protocol._pinged = now
        _set(protocol, timeout)
    elif protocol._is_behind():
        _ping(protocol, timeout)
    else:
        protocol.say_why("no answer to a ping within %g s (websocket_ping_timeout)", timeout)
        protocol.close(reason="ping timed out")


def _progress(protocol: WebSocketProtocol13) -> tuple[int, int, int]:
    """Bytes received, bytes handed to the system, and bytes that wait for it."""
    waiting = protocol.stream._pending_output
    return protocol._wire_bytes_in, protocol._wire_bytes_out - waiting, waiting


def _ping(protocol: WebSocketProtocol13, timeout: float) -> None:
    protocol._pinged = _progress(protocol)
    protocol.write_ping(b"")
    _set(protocol, timeout)


__all__ = ["RELEASE_AFTER", "end_within", "forget", "look_after", "pong_received", "start"]
