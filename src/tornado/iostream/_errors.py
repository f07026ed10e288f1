"""What can go wrong with a stream, and which of the system's errors only mean that the peer has left."""

from __future__ import annotations

import errno
import ssl
from typing import TypeVar

#: Error numbers that tell of a connection's end rather than of a fault of ours: nobody is warned about them.
_ERRNO_CONNRESET: tuple[int, ...] = tuple(
    getattr(errno, name)
    for name in (
        "ECONNRESET",
        "ECONNABORTED",
        "EPIPE",
        "ETIMEDOUT",
        "WSAECONNRESET",
        "WSAECONNABORTED",
        "WSAETIMEDOUT",
    )
    if hasattr(errno, name)
)

_Error = TypeVar("_Error", bound=BaseException)


class StreamClosedError(OSError):
    """The stream is closed: raised by reads and writes on it, and set on those that were under way.

    Its message names what closed the stream; or, in good order, what was wanted of it and who the peer is.

    :param real_error: what closed it, or None where it was closed in good order. Also an attribute.
    """

    def __init__(self, real_error: BaseException | None = None) -> None:
        cause = f": {str(real_error) or type(real_error).__name__}" if real_error is not None else ""
        super().__init__(f"Stream is closed{cause}")
        self.real_error = real_error


class StreamNotIdleError(ValueError):
    """TLS cannot start on a stream that has an outstanding read or write, or bytes in a buffer."""


class UnsatisfiableReadError(Exception):
    """A read with ``max_bytes`` found no match within that many bytes; it closes the stream.

    Found as the ``real_error`` of the `StreamClosedError` that the reader gets.
    """


class StreamBufferFullError(Exception):
    """More is waiting to be read or to be written than the stream was told to hold."""


def is_connection_reset(error: BaseException) -> bool:
    """Whether an error from the descriptor says no more than that the peer is gone."""
    if isinstance(error, ssl.SSLError):
        return error.args[:1] in ((ssl.SSL_ERROR_EOF,), (ssl.SSL_ERROR_ZERO_RETURN,))
    return isinstance(error, OSError) and error.errno in _ERRNO_CONNRESET


def without_frames(error: _Error) -> _Error:
    """An error of the system's, to be kept by a stream: rid of the frames that it came through.

    They are the stream's own methods and say nothing, but hold the stream: kept in it they would be a
    reference cycle, and every reset connection would wait for the garbage collector.
    """
    error.__context__ = None
    return error.with_traceback(None)
