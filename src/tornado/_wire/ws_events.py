"""The events that `tornado._wire.ws_connection.WSConnection` returns.

A message is returned as a plain `str` or `bytes`, because it is the most frequent event and needs no other
object. The other events are immutable values that compare by content. They are not validated here.
"""

from __future__ import annotations

import dataclasses

from tornado._wire.ws_errors import WebSocketError

__all__ = ["Close", "Event", "Failed", "Ping", "Pong"]


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """The peer has sent a ping: reply with `WSConnection.pong` and the same payload (section 5.5.2)."""

    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Pong:
    """The peer has sent a pong, either in reply to a ping or unsolicited (section 5.5.3)."""

    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """The peer has sent a close frame: reply with `WSConnection.close` and the same code (section 5.5.1).

    :ivar code: the close code, None if the frame has none.
    """

    code: int | None
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """The peer has violated the protocol or a limit: reply with `WSConnection.close` and this code, then
    close the connection (section 7.1.7).

    :ivar code: the close code to send.
    :ivar error: the error.
    """

    code: int
    error: WebSocketError


Event = str | bytes | Ping | Pong | Close | Failed
