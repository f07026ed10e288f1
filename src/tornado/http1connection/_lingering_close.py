"""Lingering close: the end of a server's connection while the client may still be sending.

Closing a socket that has unread input resets the connection, and the client may lose the response because of
the reset (RFC 9112 section 9.6). Input is therefore discarded for some time: first until the response has
been sent, then, after a half-close, until the client closes the connection too. A browser that is uploading
shows an early response only after it has sent the whole body.
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

# The connection is closed when one of these limits is exceeded: the discarded bytes, the total time in
# seconds, or the time in seconds without any input. In nginx, lingering_time is 30 s and lingering_timeout
# 5 s.
_MAX_BYTES = 256 * 1024 * 1024
_MAX_SECONDS = 30.0
_MAX_PAUSE = 2.0
_LAST_CHUNK = b"\r\n" + h1.LAST_CHUNK


class LingeringClose:
    """The state of a lingering close: how much input may still be discarded, and until when.

    :param max_bytes: the maximum number of bytes to discard; 0 to close as soon as the response has been
        sent.
    :param body_remaining: the number of bytes of the request body not received yet; -1 if unknown.
    """

    __slots__ = ("_body_remaining", "_remaining", "deadline")

    def __init__(self, max_bytes: int, body_remaining: int) -> None:
        self._remaining = max_bytes
        self._body_remaining = body_remaining
        #: The latest time at which the connection is closed (`monotonic`, in seconds); set at the half-close.
        self.deadline = 0.0

    def received(self, connection: HTTP1ServerConnection, data: bytes) -> None:
        """Discard received bytes and enforce the limits."""
        body_remaining = self._body_remaining
        self._remaining -= len(data)
        if body_remaining > 0:
            self._body_remaining = max(body_remaining - len(data), 0)
        elif body_remaining < 0 and _ends_chunked_body(data):
            self._body_remaining = 0
        if connection._state is State.CLOSING:
            if self._remaining <= 0 or not self._body_remaining:
                connection.stream._pause_reading()  # until the response has been sent
        elif self._remaining < 0:
            connection.stream.close()
        else:
            connection._deadline = min(monotonic() + _MAX_PAUSE, self.deadline)
            if body_remaining and not self._body_remaining and isinstance(connection.stream, SSLIOStream):
                connection.stream._end_output()

    def response_sent(self, connection: HTTP1ServerConnection) -> None:
        """Close the connection, or half-close it while the client may still be sending.

        Called when the response has been sent.
        """
        stream = connection.stream
        if self._remaining <= 0 or connection._eof or stream.closed():
            stream.close()
            return
        connection._state = State.LINGERING
        connection._transfer_rate = None
        now = monotonic()
        self.deadline = now + _MAX_SECONDS
        connection.params._deadlines.set(connection, now, _MAX_PAUSE)
        # A TLS stream is not half-closed while a body is being received: after sending close_notify, the ssl
        # module expects the peer's close_notify and treats other data as an error.
        if not self._body_remaining or not isinstance(stream, SSLIOStream):
            stream._end_output()
        stream._resume_reading()


def close(connection: HTTP1ServerConnection, linger: bool, body_remaining: int = 0) -> None:
    """Close a connection after its pending output has been sent.

    :param linger: whether the client may still be sending.
    :param body_remaining: the number of bytes of the request body not received yet; -1 if unknown.
    """
    connection._state = State.CLOSING
    lingering = LingeringClose(_MAX_BYTES if linger else 0, body_remaining)
    connection._lingering_close = lingering
    if connection._transfer_rate is not None:
        connection._transfer_rate.end_body()
        _timeouts.update_deadline(connection)
    connection.stream._flush_now()
    if not connection.stream._pending_output:
        lingering.response_sent(connection)
    else:
        _timeouts.set_idle_deadline(connection)


def remaining_body(exchange: HTTP1Connection, reader: h1.Reader) -> int:
    """Return how many bytes of a request body have not been received; -1 if unknown."""
    head = exchange._head
    if exchange._read_done or head is None or not head.has_body:
        return 0
    if head.content_length is None:
        decoder, rest = reader._decoder, len(reader._buffer) - len(_LAST_CHUNK)
        if decoder is not None and decoder.phase is Phase.FINISHED:
            return 0
        return 0 if _ends_chunked_body(bytes(reader._buffer[max(reader._position, rest) :])) else -1
    return max(head.content_length - reader._received - reader.buffered, 0)


def _ends_chunked_body(data: bytes) -> bool:
    """Whether a chunked body whose last received bytes are `data` seems to be complete.

    This is a guess, because a decoder that has rejected the body cannot find its end. A wrong guess only
    half-closes the connection early.
    """
    return data.endswith(_LAST_CHUNK) or data == h1.LAST_CHUNK
