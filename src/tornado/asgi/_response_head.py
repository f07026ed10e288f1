"""The head of a response as an ASGI server expects it, and the check of the length of its body."""

from __future__ import annotations

import re

from tornado._version import version
from tornado._wire.errors import HTTPOutputError
from tornado.http1connection._states import OutputState
from tornado.httputil import HTTPHeaders
from tornado.log import app_log

_DIGITS = re.compile(r"[0-9]{1,19}")
_LINE_BREAK = re.compile(r"[\r\n\0]")
#: The value of the Server field that the framework adds.
_SERVER = f"TornadoServer/{version}"
# Fields that only the server may set: they describe its connection, which may use another version of HTTP.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "date"}
)


def response_fields(headers: HTTPHeaders, close_after: bool, is_http_1: bool) -> list[tuple[bytes, bytes]]:
    """Return header fields as ASGI servers expect them, with names in lower case.

    Date and the framework's Server are omitted, because an ASGI server adds its own, whatever the application
    sends. Of the fields about the connection, ``Connection: close`` is kept.

    :raises ValueError: if a name or value contains a line break.
    """
    fields = []
    closes = close_after
    for name, value in headers.get_all():
        if _LINE_BREAK.search(name) or _LINE_BREAK.search(value):
            raise ValueError(f"Illegal characters (CR or LF) in header: {name!r}: {value!r}")
        lower = name.lower()
        if lower == "connection":
            closes = closes or "close" in [option.strip() for option in value.lower().split(",")]
        elif lower not in _HOP_BY_HOP and not (lower == "server" and value == _SERVER):
            fields.append((lower.encode("latin-1"), value.encode("latin-1")))
    if closes and is_http_1:
        fields.append((b"connection", b"close"))
    return fields


class ResponseFraming:
    """How much of the response has been passed on, compared with its Content-Length.

    :param is_head: whether the request is a HEAD request, whose response has no body.
    :ivar state: an `.OutputState`.
    :ivar remaining_length: the number of bytes of the body that have not been written; None if it is unknown.
    """

    __slots__ = ("_bodiless_code", "_is_head", "_is_truncated", "remaining_length", "state")

    #: False: the ASGI server frames the body.
    chunking = False

    def __init__(self, is_head: bool) -> None:
        self.state: OutputState = OutputState.IDLE
        self.remaining_length: int | None = None
        self._is_head = is_head
        self._bodiless_code = 0
        self._is_truncated = False

    def __repr__(self) -> str:
        return f"<ResponseFraming {self.state.name}, {self.remaining_length} bytes remaining>"

    def begin(self, code: int, headers: HTTPHeaders) -> None:
        """Record that the head is sent.

        :raises HTTPOutputError: if Content-Length is not a number.
        """
        length = headers.get("Content-Length")
        if length is not None and _DIGITS.fullmatch(length) is None:
            raise HTTPOutputError(f"Content-Length must be a decimal number, got {length!r}")
        self.state = self.state.to[OutputState.BODY]
        if self._is_head or code == 304:
            self.remaining_length = 0  # Content-Length is that of a body which is not sent
        elif code == 204:
            self.remaining_length, self._bodiless_code = 0, code
        elif length is not None:
            self.remaining_length = int(length)

    def count(self, chunk: bytes) -> bytes:
        """Count a part of the body and return it, or empty bytes if the response must not have a body.

        :raises HTTPOutputError: if the body becomes longer than its Content-Length.
        """
        if self.remaining_length is None or len(chunk) <= self.remaining_length:
            if self.remaining_length is not None:
                self.remaining_length -= len(chunk)
            return chunk
        if not self._bodiless_code:
            raise HTTPOutputError("Tried to write more data than Content-Length")
        app_log.warning(
            "Discarded %d bytes written after a %d response, which has no body: use another status code",
            len(chunk),
            self._bodiless_code,
        )
        return b""

    def truncate(self) -> None:
        """Let the body end before it is complete."""
        self._is_truncated, self.remaining_length = True, None

    def finish(self) -> bool:
        """Record the end of the body.

        :returns: whether the response is complete; False if the connection must be closed instead.
        :raises HTTPOutputError: if less was written than the Content-Length, or no head.
        """
        remaining, begun = self.remaining_length, self.state is OutputState.BODY
        self.abandon()
        if remaining:
            raise HTTPOutputError(f"Tried to write {remaining} bytes less than Content-Length")
        return begun and not self._is_truncated

    def abandon(self) -> None:
        """Record that nothing more is sent."""
        self.state = self.state.to[OutputState.COMPLETE]


__all__ = ["ResponseFraming", "response_fields"]
