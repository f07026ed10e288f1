"""Server-sent events: ``text/event-stream`` (WHATWG HTML, section 9.2, "Server-sent events").

Theory of operation
-------------------
A stream is lines of UTF-8 text; a line is a field, a comment (it begins with a colon), or empty, which ends
an event. `serialize_event` and `serialize_comment` are pure. `Parser` takes bytes as they come and keeps two
things: the start of the line that has not ended, in a buffer that grows in place, and the fields of the event
that has not ended. Every byte is looked at once, so the cost is linear however the input is split.

A line ends in LF, CR, or CR LF. After a CR at the end of the input it is not known yet which of the two it
is: the line counts as ended, and an LF is passed over if one follows.

What is refused
---------------
Writing: an event name with a line end, an id with a line end or NUL, a reconnection time that is no natural
number: each would become another field, or be ignored by the reader. Data may hold any of the three line
ends; the reader sees all of them as LF, since the format knows nothing else.

Reading refuses nothing, as the standard has a reader pass over what it does not know, save what is over a
limit: the line (`MAX_LINE`) and the data of one event (`MAX_EVENT`), for which the standard has no number.
Bytes that are no UTF-8 become U+FFFD.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Final

__all__ = [
    "MAX_EVENT",
    "MAX_LINE",
    "Event",
    "EventTooLarge",
    "Parser",
    "check_id",
    "serialize_comment",
    "serialize_event",
]

#: Default limit on a line in bytes: that of a WebSocket message here (10 MiB), as data is most often one
#: line.
MAX_LINE: Final = 10 * 1024 * 1024
#: Default limit on the data of one event in bytes.
MAX_EVENT: Final = 10 * 1024 * 1024

_line_end = re.compile(rb"\r\n|\r|\n")
_unsafe_name = re.compile(r"[\r\n]")
_unsafe_id = re.compile(r"[\0\r\n]")
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """A line or an event is over its limit; the message names which, and the limit."""


# -- writing --


def check_id(id: str | int) -> str:
    """See that `id` may be an event's id, and give it back as text.

    :raises ValueError: if it holds NUL, CR or LF. A reader ignores an id with a NUL.
    :raises TypeError: if it is neither text nor a whole number.
    """
    if isinstance(id, int) and not isinstance(id, bool):
        return str(int(id))
    if not isinstance(id, str):
        raise TypeError(f"id, that of an event, is text or a whole number, not {id!r}")
    text = id
    if _unsafe_id.search(text):
        raise ValueError(f"the id of an event holds NUL, CR or LF: {text!r}")
    return text


def serialize_event(
    data: str | bytes, event: str | None = None, id: str | int | None = None, retry: int | None = None
) -> bytes:
    """One event, with the empty line that ends it.

    :param data: text, or its UTF-8; each of its lines becomes a field of its own.
    :param event: the event's type; None leaves it to the reader, for whom it is ``message``.
    :param id: what a reader that reconnects will send as ``Last-Event-ID``; the empty string resets it, and a
        number counts as its digits.
    :param retry: how long a reader is to wait before it reconnects, in milliseconds.
    :raises ValueError: if `event` or `id` holds a line end, or `retry` is not a natural number.
    :raises TypeError: if `event` is no text, or `id` neither text nor a whole number.
    """
    head = ""
    if event is not None:
        if not isinstance(event, str):
            raise TypeError(f"event, the type of an event, is text, not {event!r}")
        if _unsafe_name.search(event):
            raise ValueError(f"the type of an event holds CR or LF: {event!r}")
        head = f"event: {event}\n"
    if id is not None:
        head += f"id: {check_id(id)}\n"
    if retry is not None:
        if not isinstance(retry, int) or isinstance(retry, bool) or retry < 0:
            raise ValueError(f"retry is a whole number of milliseconds, not {retry!r}")
        head += f"retry: {retry}\n"
    body = data.encode() if isinstance(data, str) else data
    if b"\n" in body or b"\r" in body:
        body = b"\ndata: ".join(_line_end.split(body))
    return b"%bdata: %b\n\n" % (head.encode(), body)


def serialize_comment(text: str = "") -> bytes:
    """A comment, which readers pass over. It keeps a silent connection from being taken for a dead one."""
    lines = _line_end.split(text.encode())
    return b"".join(b": %b\n" % line if line else b":\n" for line in lines) + b"\n"


# -- reading --


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a reader gets it: its data, its type, and the last id that the stream has given so far."""

    data: str
    event: str = "message"
    id: str = ""


class Parser:
    """Reads a stream: bytes go into `receive_data`, events come out of `next_event`.

    :param max_line: limit on a line in bytes.
    :param max_event: limit on the data of one event in bytes.

    There is nothing to be done at the end of the input: an event that has not ended is not an event.
    """

    __slots__ = (
        "_begun",
        "_data",
        "_event",
        "_events",
        "_id",
        "_line",
        "_size",
        "_skip_lf",
        "last_event_id",
        "max_event",
        "max_line",
        "retry",
    )

    def __init__(self, max_line: int = MAX_LINE, max_event: int = MAX_EVENT) -> None:
        self.max_line = max_line
        self.max_event = max_event
        #: What to send as ``Last-Event-ID`` when the stream breaks off; empty for nothing.
        self.last_event_id = ""
        #: The reconnection time that the stream has asked for, in milliseconds, or None.
        self.retry: int | None = None
        self._begun = False
        self._skip_lf = False
        self._line = bytearray()
        self._id = ""
        self._event = ""
        self._data: list[bytes] = []
        self._size = 0
        self._events: deque[Event] = deque()

    def next_event(self) -> Event | None:
        """The next event that has been received whole; None if there is none."""
        return self._events.popleft() if self._events else None

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the stream.

        :raises EventTooLarge: if a line or an event passes its limit. The parser is of no use then.
        """
        if self._skip_lf and data:
            self._skip_lf = False
            if data.startswith(b"\n"):
                data = data[1:]
        if not data:
            return
        lines = _line_end.split(data)
        last = lines.pop()
        if lines:
            if self._line:
                lines[0] = bytes(self._line + lines[0])
                self._line.clear()
            for line in lines:
                self._take_line(line)
            self._skip_lf = data.endswith(b"\r")
        if last:
            self._line += last
            self._check_line(len(self._line))

    def _check_line(self, size: int) -> None:
        if size > self.max_line:
            raise EventTooLarge(
                f"a line of the event stream is over the limit of {self.max_line} bytes (max_line)"
            )

    def _take_line(self, line: bytes) -> None:
        self._check_line(len(line))  # as it came, so that it does not matter in which pieces
        if not self._begun:
            # "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any."
            self._begun = True
            line = line.removeprefix(_BOM)
        if not line:
            self._end_event()
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value) + 1
            if self._size > self.max_event:
                raise EventTooLarge(f"an event is over the limit of {self.max_event} bytes (max_event)")
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) <= 15:
            self.retry = int(value)

    def _end_event(self) -> None:
        self.last_event_id = self._id
        data, self._data = self._data, []
        event, self._event = self._event, ""
        self._size = 0
        if data:
            text = b"\n".join(data).decode(errors="replace")
            self._events.append(Event(text, event or "message", self._id))
