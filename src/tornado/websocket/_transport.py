"""`Transport`: the methods of a stream that a WebSocket uses.

An `.IOStream` in push mode has these methods, so connections do not need an adapter object. Another
transport, such as an HTTP/2 stream or an ASGI server, must implement only these.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from tornado.iostream._push_mode import StreamConsumer


class Transport(Protocol):
    """A bidirectional byte stream; see docs/design/0001-seams.md for the contract of each method.

    :ivar error: the error that has closed the stream, or None.
    """

    error: BaseException | None
    _loop: asyncio.AbstractEventLoop
    #: The size of the output collected while corked, in bytes.
    _collected_size: int

    @property
    def _output(self) -> object | None:
        """The output that waits to be sent, without collected output; None if no output waits."""

    @property
    def _pending_output(self) -> int:
        """The size of the output that waits to be sent, including collected output, in bytes."""

    def _start_push(self, consumer: StreamConsumer) -> None:
        """Pass all input to `consumer`, starting with data that has already been read."""

    def _send(self, data: bytes) -> bool:
        """Send data; return False if output must wait, in which case ``output_drained`` will be called."""

    def _cork(self) -> None:
        """Collect output until `_uncork`."""

    def _uncork(self) -> None:
        """Send the output collected since `_cork`."""

    def _flush_now(self) -> None:
        """Send the collected output, even if the stream is corked."""

    def _pause_reading(self) -> None:
        """Pass no input to the consumer until `_resume_reading`."""

    def _resume_reading(self) -> None:
        """Pass input to the consumer again after `_pause_reading`."""

    def _end_output(self) -> None:
        """Half-close the stream after all output; input still arrives."""

    def _written(self, rest: int = 0) -> asyncio.Future[None]:
        """Return a Future that is done once at most `rest` bytes of the output so far are unsent."""

    def set_nodelay(self, value: bool) -> None:
        """Set TCP_NODELAY: whether small pieces are sent immediately or delayed by Nagle's algorithm."""

    def closed(self) -> bool:
        """Whether the stream was closed by either side."""

    def close(self) -> None:
        """Close both directions; ``connection_lost`` follows."""


__all__ = ["Transport"]
