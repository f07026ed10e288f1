"""Our reader, h11 and llhttp (in httptools), with results in a comparable form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import h11
import httptools

from tornado._wire.errors import HTTPInputError
from tornado._wire.h1 import EndOfMessage, Reader, ReaderState, RequestHead, ResponseHead, Role

#: The field whose repetitions a parser may merge.
_MERGED = b"content-length"
#: The field whose value h11 converts to lower case.
_LOWERED = b"transfer-encoding"
_LARGE = 2**24


@dataclass
class Message:
    """One message. `start` is the method and target of a request, or the status code of a response."""

    start: tuple[str, ...]
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def add(self, name: bytes, value: bytes) -> None:
        """Add a field."""
        name, value = name.lower(), value.strip(b" \t")
        if name != _MERGED:
            self.fields.append((name, value.lower() if name == _LOWERED else value))


@dataclass
class Reading:
    """The complete messages in an input.

    :ivar refused: the error after the last message; empty without an error.
    :ivar heads: the positions in the input where the heads of the messages end; set only by `read_ours`.
    :ivar ends: the positions in the input where the messages end; set only by `read_ours`.
    """

    messages: list[Message] = field(default_factory=list)
    refused: str = ""
    heads: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


def read_ours(data: bytes, role: Role) -> Reading:
    """Read with `Reader`. Exceptions other than its documented errors are not caught."""
    reading, message = Reading(), Message(())
    reader = Reader(role)
    if role is Role.CLIENT:
        reader.expect_response_to("GET")
    reader.receive_data(data)
    ended, last, head_end = False, False, 0
    try:
        while True:
            event = reader.next_event()
            if isinstance(event, RequestHead | ResponseHead):
                head_end = len(data) - reader.buffered
            if isinstance(event, RequestHead):
                message = Message((event.method, event.raw_target), _fields(event))
                last = not event.keep_alive or event.upgrade or event.method == "CONNECT"
            elif isinstance(event, ResponseHead):
                message = Message((str(event.code),), _fields(event))
                last = not event.keep_alive or event.code == 101
            elif isinstance(event, bytes):
                message.body += event
            elif isinstance(event, EndOfMessage):
                pass
            elif reader.state is ReaderState.DONE:
                reading.messages.append(message)
                reading.heads.append(head_end)
                reading.ends.append(len(data) - reader.buffered)
                if last:
                    return reading
                reader.start_next()
                if role is Role.CLIENT:
                    reader.expect_response_to("GET")
            elif ended:
                return reading
            else:
                reader.receive_eof()
                ended = True
    except HTTPInputError as error:
        reading.refused = str(error) or type(error).__name__
    return reading


def _fields(head: RequestHead | ResponseHead) -> list[tuple[bytes, bytes]]:
    made = Message(())
    for line in head.headers_block.encode("latin-1").split(b"\n")[:-1]:
        name, _, value = line.removesuffix(b"\r").partition(b":")
        made.add(name, value)
    return made.fields


def read_h11(data: bytes, role: Role) -> Reading:
    """Read with h11, whose states require a response to each request and a request for each response."""
    reading, message = Reading(), Message(())
    connection = h11.Connection(
        h11.SERVER if role is Role.SERVER else h11.CLIENT, max_incomplete_event_size=_LARGE
    )
    try:
        if role is Role.CLIENT:
            _ask(connection)
        connection.receive_data(data)
        ended = False
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                message = Message((event.method.decode("latin-1"), event.target.decode("latin-1")))
                _add_all(message, event.headers.raw_items())
            elif isinstance(event, h11.Response):
                message = Message((str(event.status_code),))
                _add_all(message, event.headers.raw_items())
            elif isinstance(event, h11.Data):
                message.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                reading.messages.append(message)
                if not _next(connection, role):
                    return reading
            elif event is h11.NEED_DATA and not ended:
                ended = True
                connection.receive_data(b"")
            elif event is h11.PAUSED and message.start and role is Role.SERVER:
                # A CONNECT or upgrade request is complete; h11 waits for a decision whether to accept it.
                return reading
            elif not isinstance(event, h11.InformationalResponse):
                return reading
            elif event.status_code == 101:
                reading.messages.append(Message(("101",)))
                _add_all(reading.messages[-1], event.headers.raw_items())
                return reading
    except h11.ProtocolError as error:
        reading.refused = str(error)
    return reading


def _add_all(message: Message, items: Any) -> None:
    for name, value in items:
        message.add(bytes(name), bytes(value))


def _ask(connection: h11.Connection) -> None:
    fields = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "h2c")]
    connection.send(h11.Request(method="GET", target="/", headers=fields))
    connection.send(h11.EndOfMessage())


def _next(connection: h11.Connection, role: Role) -> bool:
    """Prepare h11 for the next message; return whether there can be one."""
    if role is Role.SERVER:
        if connection.our_state is not h11.SEND_RESPONSE:
            return False
        connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
        connection.send(h11.EndOfMessage())
    if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    if role is Role.CLIENT:
        _ask(connection)
    return True


class _Collector:
    """The object whose methods httptools calls."""

    def __init__(self, role: Role) -> None:
        self.reading = Reading()
        self.parser: Any = None
        self._role = role
        self._message = Message(())
        self._url = b""
        self._in_head = True

    def on_message_begin(self) -> None:
        self._message, self._url, self._in_head = Message(()), b"", True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._message.add(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._role is Role.SERVER:
            method = self.parser.get_method().decode("latin-1")
            self._message.start = (method, self._url.decode("latin-1"))
        else:
            self._message.start = (str(self.parser.get_status_code()),)

    def on_body(self, body: bytes) -> None:
        self._message.body += body

    def on_message_complete(self) -> None:
        code = self._message.start[0]
        if self._role is Role.SERVER or code[0] != "1" or code == "101":
            self.reading.messages.append(self._message)


def read_llhttp(data: bytes, role: Role) -> Reading:
    """Read with llhttp; httptools has no function that reports the end of input to it."""
    collector = _Collector(role)
    made = httptools.HttpRequestParser if role is Role.SERVER else httptools.HttpResponseParser
    collector.parser = made(collector)
    try:
        collector.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        collector.reading.refused = str(error) or type(error).__name__
    return collector.reading
