"""What a WebSocket peer does besides sending messages, as values.

A message needs none: it is a `str` or `bytes` itself, so that the commonest event costs no object. These are
immutable and compare by what they hold; nothing is checked here, `tornado._wire.ws_connection` makes them.
"""

from __future__ import annotations

import dataclasses

from tornado._wire.ws_errors import WebSocketError

__all__ = ["Close", "Event", "Failed", "Ping", "Pong"]


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """The peer asks for a `Connection.pong` with the same payload (section 5.5.2)."""

    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Pong:
    """The peer has answered a ping, or says unasked that it is there (section 5.5.3)."""

    payload: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """The peer will send nothing more; answer with `Connection.close` and the same code (section 5.5.1).

    :ivar code: None if the frame had none.
    """

    code: int | None
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """The peer is at fault: send `Connection.close` with this code and end the connection (section 7.1.7).

    :ivar code: the close code that says so.
    :ivar error: what was wrong.
    """

    code: int
    error: WebSocketError


Event = str | bytes | Ping | Pong | Close | Failed
