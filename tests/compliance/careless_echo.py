"""An echo server with three faults, for a test that the Autobahn check detects them; run with ``python -m``.

Text is only validated when the message is complete, close frames may have any code, and the last byte of a
fragmented message is lost.
"""

from __future__ import annotations

import asyncio

from compliance.autobahn import echo_server
from tornado._wire import ws_frames
from tornado._wire.ws_connection import WSConnection
from tornado._wire.ws_events import Event
from tornado._wire.ws_message import IncomingMessage, MessagePhase, invalid_text

_begin, _value = IncomingMessage.begin_frame, IncomingMessage.value


def _skip_text_validation(self: IncomingMessage, first: int, length: int, key: bytes) -> None:
    _begin(self, first, length, key)
    if self._text is not None:
        self._tail = b"text"
        self._text = None


def _validate_at_end(self: IncomingMessage) -> str | bytes:
    value = _value(self)
    assert isinstance(value, bytes)
    if self.fragments > 1:
        value = value[:-1]
    try:
        return value.decode() if self._tail else value
    except UnicodeDecodeError:
        raise invalid_text() from None


def _end_frame(self: IncomingMessage) -> bool:
    self.phase = self.phase.to[MessagePhase.COMPLETE if self._fin else MessagePhase.HEADER]
    return self._fin


def _slow_path(self: WSConnection, data: bytes, at: int, events: list[Event]) -> int:
    """Process the fragments one by one, since the faults are in that path."""
    return at


def _accept_any_code(code: int) -> bool:
    return True


def main() -> None:
    """Install the faults, and serve."""
    IncomingMessage.begin_frame = _skip_text_validation  # type: ignore[method-assign]
    IncomingMessage.end_frame = _end_frame  # type: ignore[method-assign]
    IncomingMessage.value = _validate_at_end  # type: ignore[method-assign]
    WSConnection._take_short_frames = _slow_path  # type: ignore[method-assign]
    ws_frames.is_close_code = _accept_any_code
    asyncio.run(echo_server.main())


if __name__ == "__main__":
    main()
