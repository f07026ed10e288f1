"""The progress of one request's transfer."""

from __future__ import annotations

from typing import NamedTuple


class TransferProgress(NamedTuple):
    """The argument of a ``progress_callback``. All numbers count bytes of message bodies.

    :ivar sent: bytes of the request's body that were sent.
    :ivar send_total: the size of the request's body in bytes, or None if it is not known.
    :ivar received: bytes of the response's body that were received, before decompression.
    :ivar receive_total: the announced size of the response's body in bytes, or None if it is not known.
    """

    sent: int
    send_total: int | None
    received: int
    receive_total: int | None
