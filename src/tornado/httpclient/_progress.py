"""How far the transfer of one request has come."""

from __future__ import annotations

from typing import NamedTuple


class TransferProgress(NamedTuple):
    """The argument of a ``progress_callback``. All numbers are bytes of message bodies.

    :ivar sent: bytes of the request's body that were sent.
    :ivar send_total: the size of that body, or None where it is not known.
    :ivar received: bytes of the response's body that have arrived, before decompression.
    :ivar receive_total: the size announced for that body, or None.
    """

    sent: int
    send_total: int | None
    received: int
    receive_total: int | None
