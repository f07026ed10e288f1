"""What a WebSocket needs of the bytes' way to its peer and back.

An `.IOStream` in push mode is such a way as it stands, so no connection pays for an object between. Another
carrier (a stream of HTTP/2, an ASGI server) has to offer these methods, and nothing else of a stream.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from tornado.iostream._push_mode import StreamConsumer


class Transport(Protocol):
    """Bytes in both directions, by callbacks; see docs/design/0001-seams.md for the contract of each method.

    :ivar error: what has closed it, or None.
    """

    error: BaseException | None
    _loop: asyncio.AbstractEventLoop
    #: Bytes that were sent while corked and not handed over yet.
    _collected_size: int

    @property
    def _output(self) -> object | None:
        """What waits for the peer, without what is collected; None for nothing."""

    @property
    def _pending_output(self) -> int:
        """Bytes that were sent and are waiting for the peer, the collected ones among them."""

    def _start_push(self, consumer: StreamConsumer) -> None:
        """Hand all input to `consumer`, beginning with what has been read already."""

    def _send(self, data: bytes) -> bool:
        """Send; False if something is waiting, and ``output_drained`` will be called."""

    def _cork(self) -> None:
        """Collect what is sent."""

    def _uncork(self) -> None:
        """The counterpart of `_cork`."""

    def _flush_now(self) -> None:
        """Hand over what was collected, corked or not."""

    def _pause_reading(self) -> None:
        """Give the consumer nothing until `_resume_reading`."""

    def _resume_reading(self) -> None:
        """Take back `_pause_reading`."""

    def _end_output(self) -> None:
        """Tell the peer that nothing more will be sent; input still arrives."""

    def _written(self, rest: int = 0) -> asyncio.Future[None]:
        """A Future that is done when at most `rest` bytes of what was sent so far wait; maybe later."""

    def set_nodelay(self, value: bool) -> None:
        """Send small pieces at once (True), or have the system collect them."""

    def closed(self) -> bool:
        """Whether it was closed, by either side."""

    def close(self) -> None:
        """Close both directions; ``connection_lost`` follows."""


__all__ = ["Transport"]
