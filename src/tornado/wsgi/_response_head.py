"""The head of a response, as a WSGI application gives it to ``start_response``: checked and completed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from tornado import version
from tornado._wire.dates import format_http_date
from tornado.httputil import HTTPHeaders, ResponseStartLine

_STATUS = re.compile(r"([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_DIGITS = re.compile(r"[0-9]{1,19}")
#: RFC 9110 section 6.4.1: responses that never have a body. (So do those to HEAD.)
BODILESS = frozenset({204, 304})
# What is between us and the client is not the application's (PEP 3333, "Other HTTP Features").
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
    """A status and header fields.

    :arg status: such as ``"200 OK"``.
    :arg fields: pairs of name and value.
    :raises TypeError: for what is no text, or no pair.
    :raises ValueError: for what cannot be sent; the message names it.
    :ivar length: what Content-Length announces, None without one.
    """

    def __init__(self, status: str, fields: Iterable[tuple[str, str]]) -> None:
        code, reason = _read_status(status)
        self.line = ResponseStartLine("HTTP/1.1", code, reason)
        self.headers = _read_fields(fields)
        self.length = _read_length(self.headers)
        if code == 204 and self.length is not None:
            del self.headers["Content-Length"]  # RFC 9110 section 8.6
            self.length = None

    def announce(self, length: int) -> None:
        """Tell the length of a body that is known whole, where the application has not."""
        if self.length is None and self.line.code not in BODILESS:
            self.headers["Content-Length"] = str(length)
            self.length = length

    def complete(self) -> None:
        """Add what every response has, where the application has not."""
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
            f"a WSGI status is a str such as '200 OK', not {type(status).__name__}: {status!r:.100}"
        )
    match = _STATUS.fullmatch(status)
    if match is None:
        raise ValueError(
            f"a WSGI status is three digits, a space and a reason, as in '200 OK'; got {status!r:.100}"
        )
    code = int(match[1])
    if code < 200:
        raise ValueError(f"a WSGI application gives one final status, 200 or above; got {status!r:.100}")
    return code, match[2] or ""


def _read_fields(fields: Iterable[Any]) -> HTTPHeaders:
    headers = HTTPHeaders()
    for field in fields:
        if not isinstance(field, (tuple, list)) or len(field) != 2:
            raise TypeError(f"a WSGI header is a pair of name and value, not {field!r:.100}")
        name, value = field
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"name and value of a WSGI header are str; got {name!r:.100}: {value!r:.100}")
        if not value.isascii():
            _check_latin(name, value)
        if not _is_ours(name.lower(), value):
            headers.add(name, value.strip(" \t"))  # Django's cookies begin with a space
    return headers


def _check_latin(name: str, value: str) -> None:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(
            f"the value of the header {name} has characters beyond Latin-1: {value!r:.100}"
        ) from None


def _is_ours(name: str, value: str) -> bool:
    """Whether a field says about the connection what we decide, and may go.

    :raises ValueError: for one that asks for something else.
    """
    if name == "keep-alive":
        return True
    if name == "connection":
        # Servers of event streams like to say keep-alive, which is what happens anyway; close is obeyed.
        options = {option.strip() for option in value.lower().split(",")}
        if options <= {"keep-alive", "close", ""}:
            return "close" not in options
    if name == "connection" or name in _HOP_BY_HOP:
        raise ValueError(f"a WSGI application may not send {name!r}: it is between the server and its client")
    return False


def _read_length(headers: HTTPHeaders) -> int | None:
    values = headers.get_list("Content-Length")
    if not values:
        return None
    if len(values) > 1 or _DIGITS.fullmatch(values[0]) is None:
        raise ValueError(f"Content-Length is one decimal number; got {', '.join(values)!r:.100}")
    return int(values[0])
