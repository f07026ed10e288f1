"""Server-sent events: ``text/event-stream`` (WHATWG HTML, section 9.2, "Server-sent events").

Theory of operation
-------------------
A stream consists of lines of UTF-8 text. A line is a field, a comment (it begins with a colon), or empty; an
empty line ends an event. `serialize_event` and `serialize_comment` are pure functions. `Parser` takes bytes
as they arrive and buffers only the incomplete line, in a buffer that grows in place, and the fields of the
incomplete event. Every byte is examined once, so the cost is linear however the input is split.

A line ends in LF, CR or CRLF. A CR at the end of the input may be the first half of a CRLF: the line is
complete, and an LF at the beginning of the next input is skipped.

Rejected input
--------------
`serialize_event` rejects an event type with a line end, an id with a line end or NUL, and a reconnection time
that is not a non-negative integer. The reader would interpret each as another field, or ignore it. Data may
contain all three line ends; the reader receives them as LF, because the format cannot express the difference.

`Parser` rejects only input that exceeds a limit, because the standard requires readers to ignore unknown
input. The sizes of a line (`MAX_LINE`) and of the data of an event (`MAX_EVENT`) are limited; the standard
does not define limits. Invalid UTF-8 is replaced by U+FFFD.
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

#: The default maximum size of a line, in bytes. It equals the limit of a WebSocket message, because the data
#: of an event is usually one line.
MAX_LINE: Final = 10 * 1024 * 1024
#: The default maximum size of the data of one event, in bytes.
MAX_EVENT: Final = 10 * 1024 * 1024

_line_end = re.compile(rb"\r\n|\r|\n")
_unsafe_name = re.compile(r"[\r\n]")
_unsafe_id = re.compile(r"[\0\r\n]")
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """Raised when a line or an event exceeds its limit. The message names the limit."""


# -- serialization --


def check_id(id: str | int) -> str:
    """Validate the id of an event and return it as text.

    :raises ValueError: if the id contains NUL, CR or LF. Readers ignore an id with a NUL.
    :raises TypeError: if the id is neither a str nor an int.
    """
    if isinstance(id, int) and not isinstance(id, bool):
        return str(int(id))
    if not isinstance(id, str):
        raise TypeError(f"id must be a str or an int, not {id!r}")
    text = id
    if _unsafe_id.search(text):
        raise ValueError(f"id must not contain NUL, CR or LF, got {text!r}")
    return text


def serialize_event(
    data: str | bytes, event: str | None = None, id: str | int | None = None, retry: int | None = None
) -> bytes:
    """Serialize one event, including the empty line that ends it.

    :param data: the data as text or as UTF-8 bytes. Each of its lines is sent as a separate field.
    :param event: the event's type; None omits the field, which readers treat as ``message``.
    :param id: the value that a reader sends as ``Last-Event-ID`` when it reconnects. The empty string resets
        it; a number is sent in decimal digits.
    :param retry: the time in milliseconds that a reader must wait before it reconnects, or None.
    :raises ValueError: if `event` contains a line end, `id` contains a line end or NUL, or `retry` is not a
        non-negative int.
    :raises TypeError: if `event` is not a str, or `id` is neither a str nor an int.
    """
    head = ""
    if event is not None:
        if not isinstance(event, str):
            raise TypeError(f"event must be a str, not {event!r}")
        if _unsafe_name.search(event):
            raise ValueError(f"event must not contain CR or LF, got {event!r}")
        head = f"event: {event}\n"
    if id is not None:
        head += f"id: {check_id(id)}\n"
    if retry is not None:
        if not isinstance(retry, int) or isinstance(retry, bool) or retry < 0:
            raise ValueError(f"retry must be a non-negative int in milliseconds, got {retry!r}")
        head += f"retry: {retry}\n"
    body = data.encode() if isinstance(data, str) else data
    if b"\n" in body or b"\r" in body:
        body = b"\ndata: ".join(_line_end.split(body))
    return b"%bdata: %b\n\n" % (head.encode(), body)


def serialize_comment(text: str = "") -> bytes:
    """Serialize a comment. Readers ignore it; it shows that an idle connection is still alive."""
    lines = _line_end.split(text.encode())
    return b"".join(b": %b\n" % line if line else b":\n" for line in lines) + b"\n"


# -- parsing --


@dataclass(frozen=True, slots=True)
class Event:
    """One received event.

    :ivar data: the data.
    :ivar event: the type.
    :ivar id: the last id in the stream so far.
    """

    data: str
    event: str = "message"
    id: str = ""


class Parser:
    """A parser of an event stream.

    :param max_line: the maximum size of a line in bytes.
    :param max_event: the maximum size of the data of one event in bytes.

    The end of input need not be reported, because an incomplete event is discarded.
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
        #: The value to send as ``Last-Event-ID`` when reconnecting; empty to omit the field.
        self.last_event_id = ""
        #: The reconnection time from the stream in milliseconds, or None.
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
        """Return the next complete event, or None if more data is needed."""
        return self._events.popleft() if self._events else None

    def receive_data(self, data: bytes) -> None:
        """Process the next bytes of the stream.

        :raises EventTooLarge: if a line or an event exceeds its limit. The parser must not be used
            afterwards.
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
                self._process_line(line)
            self._skip_lf = data.endswith(b"\r")
        if last:
            self._line += last
            self._check_line(len(self._line))

    def _check_line(self, size: int) -> None:
        if size > self.max_line:
            raise EventTooLarge(
                f"a line of the event stream is over the limit of {self.max_line} bytes (max_line)"
            )

    def _process_line(self, line: bytes) -> None:
        self._check_line(len(line))  # with the BOM, so the result does not depend on how the input is split
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
