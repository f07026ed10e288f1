"""The end of a server's connection behind its last answer, while the client may still be sending.

A socket that is closed with something unread in it resets the connection, and the reset overtakes the answer
(RFC 9112 section 9.6). So what still comes is thrown away for a while: first until the answer is out, then,
our side closed, until the client closes too. A browser that uploads shows an early answer only if it gets rid
of its body first.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from tornado._wire import h1
from tornado._wire.chunked import Phase
from tornado.http1connection import _timeouts
from tornado.http1connection._state import State
from tornado.iostream import SSLIOStream

if TYPE_CHECKING:
    from tornado.http1connection._exchange import HTTP1Connection
    from tornado.http1connection._server import HTTP1ServerConnection

#: What is thrown away until the connection is closed hard: so many bytes, for so many seconds, as long as no
#: pause is longer. nginx's lingering_time is 30 s and lingering_timeout 5 s.
_BYTES = 256 * 1024 * 1024
_SECONDS = 30.0
_PAUSE = 2.0
_LAST_CHUNK = b"\r\n" + h1.LAST_CHUNK


class LingeringClose:
    """What is still to come from a client that has got, or is getting, its last answer."""

    __slots__ = ("_coming", "_left", "until")

    def __init__(self, left: int, coming: int) -> None:
        self._left = left
        self._coming = coming
        #: When our patience ends, once our side is closed.
        self.until = 0.0

    def received(self, connection: HTTP1ServerConnection, data: bytes) -> None:
        """Throw bytes away."""
        coming = self._coming
        self._left -= len(data)
        if coming > 0:
            self._coming = max(coming - len(data), 0)
        elif coming < 0 and _ends_chunks(data):
            self._coming = 0
        if connection._state is State.CLOSING:
            if self._left <= 0 or not self._coming:
                connection.stream._pause_reading()  # until the answer is out
        elif self._left < 0:
            connection.stream.close()
        else:
            connection._deadline = min(monotonic() + _PAUSE, self.until)
            if coming and not self._coming and isinstance(connection.stream, SSLIOStream):
                connection.stream._end_output()

    def answer_is_out(self, connection: HTTP1ServerConnection) -> None:
        """Close the connection, or only our side of it while something may come."""
        stream = connection.stream
        if self._left <= 0 or connection._eof or stream.closed():
            stream.close()
            return
        connection._state = State.LINGERING
        connection._transfer_rate = None
        now = monotonic()
        self.until = now + _SECONDS
        connection.params._deadlines.set(connection, now, _PAUSE)
        # Not in TLS while a body is coming: ssl looks for the peer's goodbye then, and takes anything else
        # for an error.
        if not self._coming or not isinstance(stream, SSLIOStream):
            stream._end_output()
        stream._resume_reading()


def close(connection: HTTP1ServerConnection, linger: bool, coming: int = 0) -> None:
    """Close a connection when what waits has been sent.

    :param linger: whether anything may still come.
    :param coming: how much of it is a body that is known of, in bytes; -1 if its size is unknown.
    """
    connection._state = State.CLOSING
    lingering = LingeringClose(_BYTES if linger else 0, coming)
    connection._lingering_close = lingering
    if connection._transfer_rate is not None:
        connection._transfer_rate.end_body()
        _timeouts.follow_pace(connection)
    connection.stream._flush_now()
    if not connection.stream._pending_output:
        lingering.answer_is_out(connection)
    else:
        _timeouts.wait_for_peer(connection)


def body_left(exchange: HTTP1Connection, reader: h1.Reader) -> int:
    """How many bytes of a request's body are still to come; -1 if that is unknown."""
    head = exchange._head
    if exchange._read_done or head is None or not head.has_body:
        return 0
    if head.content_length is None:
        decoder, rest = reader._decoder, len(reader._buffer) - len(_LAST_CHUNK)
        if decoder is not None and decoder.phase is Phase.FINISHED:
            return 0
        return 0 if _ends_chunks(bytes(reader._buffer[max(reader._position, rest) :])) else -1
    return max(head.content_length - reader._received - reader.buffered, 0)


def _ends_chunks(data: bytes) -> bool:
    """Whether the chunked body that `data` is the latest part of seems to be at its end.

    A decoder that has refused the body cannot tell any more, and more than an early goodbye does not hang on
    it.
    """
    return data.endswith(_LAST_CHUNK) or data == h1.LAST_CHUNK
