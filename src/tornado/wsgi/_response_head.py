"""The head of a response that a WSGI application passes to ``start_response``: validation and defaults."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from tornado._version import version
from tornado._wire.dates import format_http_date
from tornado.httputil import HTTPHeaders, ResponseStartLine

_STATUS = re.compile(r"([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_DIGITS = re.compile(r"[0-9]{1,19}")
#: Status codes of responses that never have a body (RFC 9110 section 6.4.1), like responses to HEAD.
BODILESS = frozenset({204, 304})
# Fields that only the server may set (PEP 3333, "Other HTTP Features").
_HOP_BY_HOP = frozenset(
    {
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class ResponseHead:
    """The status and header fields of a response.

    :param status: the status code and reason phrase, such as ``"200 OK"``.
    :param fields: (name, value) pairs.
    :raises TypeError: if the status is not a string, or a field is not a pair of strings.
    :raises ValueError: if the status or a field is invalid.
    :ivar length: the value of Content-Length, or None.
    """

    def __init__(self, status: str, fields: Iterable[tuple[str, str]]) -> None:
        code, reason = _read_status(status)
        self.line = ResponseStartLine("HTTP/1.1", code, reason)
        self.headers = _read_fields(fields)
        self.length = _read_length(self.headers)
        if code == 204 and self.length is not None:
            del self.headers["Content-Length"]  # RFC 9110 section 8.6
            self.length = None

    def set_length(self, length: int) -> None:
        """Set Content-Length to the length of the complete body, unless the application has set it."""
        if self.length is None and self.line.code not in BODILESS:
            self.headers["Content-Length"] = str(length)
            self.length = length

    def add_defaults(self) -> None:
        """Add the fields that every response should have, unless the application has set them."""
        headers = self.headers
        if "Content-Type" not in headers and self.line.code not in BODILESS:
            headers["Content-Type"] = "text/html; charset=UTF-8"
        if "Server" not in headers:
            headers["Server"] = f"TornadoServer/{version}"
        if "Date" not in headers:
            headers["Date"] = format_http_date(time.time())


def _read_status(status: Any) -> tuple[int, str]:
    if not isinstance(status, str):
        raise TypeError(
            f"a WSGI status must be a str such as '200 OK', got {type(status).__name__}: {status!r:.100}"
        )
    match = _STATUS.fullmatch(status)
    if match is None:
        raise ValueError(
            f"a WSGI status must be three digits, a space and a reason, as in '200 OK', got {status!r:.100}"
        )
    code = int(match[1])
    if code < 200:
        raise ValueError(f"a WSGI status must be a final one (200 or above), got {status!r:.100}")
    return code, match[2] or ""


def _read_fields(fields: Iterable[Any]) -> HTTPHeaders:
    headers = HTTPHeaders()
    for field in fields:
        if not isinstance(field, (tuple, list)) or len(field) != 2:
            raise TypeError(f"a WSGI header must be a pair of name and value, got {field!r:.100}")
        name, value = field
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"name and value of a WSGI header must be str, got {name!r:.100}: {value!r:.100}")
        if not value.isascii():
            _check_latin(name, value)
        if not _is_redundant(name.lower(), value):
            headers.add(name, value.strip(" \t"))  # Django's Set-Cookie values begin with a space
    return headers


def _check_latin(name: str, value: str) -> None:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(
            f"the value of the WSGI header {name} must be Latin-1 text, got {value!r:.100}"
        ) from None


def _is_redundant(name: str, value: str) -> bool:
    """Whether a hop-by-hop field can be omitted, because the server does the same without it.

    :raises ValueError: if a hop-by-hop field would have any other effect.
    """
    if name == "keep-alive":
        return True
    if name == "connection":
        # Applications that send event streams often set ``keep-alive``, which is the default. Only ``close``
        # has an effect.
        options = {option.strip() for option in value.lower().split(",")}
        if options <= {"keep-alive", "close", ""}:
            return "close" not in options
    if name == "connection" or name in _HOP_BY_HOP:
        raise ValueError(f"a WSGI application must not send {name!r}: only the server may set this header")
    return False


def _read_length(headers: HTTPHeaders) -> int | None:
    values = headers.get_list("Content-Length")
    if not values:
        return None
    if len(values) > 1 or _DIGITS.fullmatch(values[0]) is None:
        raise ValueError(f"Content-Length must be a single decimal number, got {', '.join(values)!r:.100}")
    return int(values[0])
