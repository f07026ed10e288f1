"""What happens to a WebSocket by the clock: pings, the end of a closing handshake that drags on, and memory
that has not been used for long.

All connections of a loop share one timer (see `tornado.http1connection._deadline_scheduler`). A connection
has one deadline: that of its end if it is closing, else of its next ping or the pong to its last one. Where
messages are compressed there is a second one, of the next look at the compressor (`IdleCompressor`), which
pings do not put off. A connection that has none of these is not in the list.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from tornado.http1connection._deadline_scheduler import NEVER
from tornado.web._client_disconnect import watch_of

if TYPE_CHECKING:
    from tornado.websocket._protocol import WebSocketProtocol13

_WATCH = "_tornado_websockets"
#: Seconds between two looks at a compressor. What has sent nothing from one to the next is given back: some
#: 260 KB at zlib's defaults, for a tenth of a millisecond when it is made again.
RELEASE_AFTER = 60.0


class IdleCompressor:
    """Looks whether a connection needs its compressor; only those have one that agreed on compression."""

    __slots__ = ("_deadline", "_protocol", "_sent")

    def __init__(self, protocol: WebSocketProtocol13) -> None:
        self._deadline = NEVER
        self._protocol = protocol
        self._sent = 0
        watch_of(protocol.stream._loop, _WATCH).add(self, protocol.stream._loop)
        self._look_again()

    def _look_again(self) -> None:
        watch_of(self._protocol.stream._loop, _WATCH).set(self, monotonic(), RELEASE_AFTER)

    def _expired(self) -> None:
        before, self._sent = self._sent, self._protocol._message_bytes_out
        if before == self._sent:
            self._protocol._core.release()
        self._look_again()


def _set(protocol: WebSocketProtocol13, seconds: float) -> None:
    # A send may just have failed and closed the stream. Nothing would remove the connection from the watch.
    if protocol.stream.closed():
        return
    loop = protocol.stream._loop
    watch = watch_of(loop, _WATCH)
    watch.add(protocol, loop)
    watch.set(protocol, monotonic(), seconds)


def start(protocol: WebSocketProtocol13) -> None:
    """A connection is open; a program may say so once more."""
    if protocol.is_closing():
        return
    interval = protocol.params.ping_interval
    if interval:
        _set(protocol, interval)
    if protocol._spare is None and protocol._compresses():
        protocol._spare = IdleCompressor(protocol)


def end_within(protocol: WebSocketProtocol13, seconds: float) -> None:
    """The connection is closing, and will be cut off after so many seconds."""
    _set(protocol, seconds)


def forget(protocol: WebSocketProtocol13) -> None:
    """The connection is closed."""
    protocol._deadline = NEVER
    watch = watch_of(protocol.stream._loop, _WATCH)
    watch.discard(protocol)
    if protocol._spare is not None:
        watch.discard(protocol._spare)
        protocol._spare = None


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
    params = protocol.params
    if not params.ping_interval:
        return  # a program has called this
    if protocol._pinged is not None and params.ping_timeout:
        _wait_for_pong(protocol, params.ping_timeout)
    else:
        _ping(protocol, params.ping_timeout or params.ping_interval)


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


__all__ = ["RELEASE_AFTER", "IdleCompressor", "end_within", "forget", "look_after", "pong_received", "start"]
