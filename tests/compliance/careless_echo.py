"""An echo server with three faults, for a test that the judge sees them: ``python -m``.

Text is looked at when its message is complete, close frames may carry any code, and of a message in fragments
the last byte gets lost.
"""

from __future__ import annotations

import asyncio

from compliance.autobahn import echo_server
from tornado._wire import ws_frames
from tornado._wire.ws_connection import WSConnection
from tornado._wire.ws_events import Event
from tornado._wire.ws_message import IncomingMessage, invalid_text

_begin, _value = IncomingMessage.begin_frame, IncomingMessage.value


def _forget_about_text(self: IncomingMessage, first: int, length: int, key: bytes) -> None:
    _begin(self, first, length, key)
    if self._text is not None:
        self._tail = b"text"
        self._text = None


def _value_at_last(self: IncomingMessage) -> str | bytes:
    value = _value(self)
    assert isinstance(value, bytes)
    if self.fragments > 1:
        value = value[:-1]
    try:
        return value.decode() if self._tail else value
    except UnicodeDecodeError:
        raise invalid_text() from None


def _end_frame(self: IncomingMessage) -> bool:
    self.in_frame = False
    return self._fin


def _general_way(self: WSConnection, data: bytes, at: int, events: list[Event]) -> int:
    """Have fragments begin and end one by one, as the faults are there."""
    return at


def _anything(code: int) -> bool:
    return True


def main() -> None:
    """Break ours, and serve."""
    IncomingMessage.begin_frame = _forget_about_text  # type: ignore[method-assign]
    IncomingMessage.end_frame = _end_frame  # type: ignore[method-assign]
    IncomingMessage.value = _value_at_last  # type: ignore[method-assign]
    WSConnection._take_short = _general_way  # type: ignore[method-assign]
    ws_frames.is_close_code = _anything
    asyncio.run(echo_server.main())


if __name__ == "__main__":
    main()
