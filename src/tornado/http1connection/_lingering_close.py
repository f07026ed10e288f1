"""Lingering close: the end of a server's connection while the client may still be sending.

Closing a socket that has unread input resets the connection, and the client may lose the response because of
the reset (RFC 9112 section 9.6). Input is therefore discarded for some time: first until the response has
been sent, then, after a half-close, until the client closes the connection too. A browser that is uploading
shows an early response only after it has sent the whole body.
"""

from __future__ import annotations

from time import monotonic

from tornado._wire import h1
from tornado.http1connection._interfaces import ServerConnection
from tornado.http1connection._states import ConnectionState
from tornado.iostream import SSLIOStream

# The connection is closed when one of these limits is exceeded: the discarded bytes, the total time in
# seconds, or the time in seconds without any input. In nginx, lingering_time is 30 s and lingering_timeout
# 5 s.
_MAX_BYTES = 256 * 1024 * 1024
_MAX_SECONDS = 30.0
_MAX_PAUSE = 2.0


class LingeringClose:
    """A lingering close: how much input may still be discarded, and until when.

    :param linger: whether the client may still be sending. If not, the connection is closed as soon as the
        response has been sent.
    :param body_remaining: the number of bytes of the request body not received yet; -1 if unknown.
    """

    __slots__ = ("_body_remaining", "_deadline", "_remaining")

    def __init__(self, linger: bool, body_remaining: int) -> None:
        self._remaining = _MAX_BYTES if linger else 0
        self._body_remaining = body_remaining
        # The latest time at which the connection is closed (`monotonic`, in seconds); set at the half-close.
        self._deadline = 0.0

    def __repr__(self) -> str:
        body = "unknown" if self._body_remaining < 0 else f"{self._body_remaining} bytes"
        return f"<LingeringClose up to {self._remaining} bytes, rest of the body: {body}>"

    def received(self, connection: ServerConnection, data: bytes) -> None:
        """Discard received bytes and enforce the limits."""
        body_remaining = self._body_remaining
        self._remaining -= len(data)
        drain = connection.params.drain
        if drain is not None:
            drain.input_discarded(connection)
        if body_remaining > 0:
            self._body_remaining = max(body_remaining - len(data), 0)
        elif body_remaining < 0 and h1.ends_chunked_body(data):
            self._body_remaining = 0
        if connection.state is ConnectionState.CLOSING:
            if self._remaining <= 0 or not self._body_remaining:
                connection.stream.pause_reading()  # until the response has been sent
        elif self._remaining < 0:
            connection.stream.close()
        else:
            connection.deadline = min(monotonic() + _MAX_PAUSE, self._deadline)
            if body_remaining and not self._body_remaining and isinstance(connection.stream, SSLIOStream):
                connection.stream.end_output()

    def response_sent(self, connection: ServerConnection) -> None:
        """Close the connection, or half-close it while the client may still be sending.

        Called when the response has been sent.
        """
        stream = connection.stream
        if self._remaining <= 0 or connection.has_eof or stream.closed():
            stream.close()
            return
        self._deadline = monotonic() + _MAX_SECONDS
        drain = connection.params.drain
        connection.begin_lingering(_MAX_PAUSE if drain is None else min(_MAX_PAUSE, drain.max_pause))
        # A TLS stream is not half-closed while a body is being received: after sending close_notify, the ssl
        # module expects the peer's close_notify and treats other data as an error.
        if not self._body_remaining or not isinstance(stream, SSLIOStream):
            stream.end_output()
        stream.resume_reading()
