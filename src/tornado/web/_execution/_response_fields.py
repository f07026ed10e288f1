"""Values of header fields: their conversion to text, Content-Length lines, and conditions of requests."""

from __future__ import annotations

import datetime
import re
from typing import Any

from tornado import httputil
from tornado.escape import native_str

__all__ = [
    "LARGE_BODY",
    "UNSENDABLE",
    "add_field_name",
    "etag_matches",
    "header_text",
    "is_confirmed",
    "length_lines",
    "reason_phrase",
    "request_field",
    "small_length_lines",
]

#: The size in bytes from which hashlib.sha1 is faster than `_sha1.sha1`, for very large bodies by a factor of
#: seven.
LARGE_BODY = 4096
#: Matches a character that a header field must not contain.
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
# RFC 9112 section 4: a reason phrase consists of tabs, spaces, visible characters and obs-text. Angle
# brackets are excluded because error pages, including those of a program's own write_error, contain the
# phrase, which must not be interpreted as HTML.
_UNSAFE_REASON = re.compile(r"[^\t\x20-\x7e\x80-\xff]|[<>]")
_etags = re.compile(r'\*|(?:W/)?"[^"]*"')


def header_text(value: object) -> str:
    """Convert a header value to str.

    :raises TypeError: if `.RequestHandler.set_header` does not accept its type.
    :raises ValueError: if it contains a control character, or a character outside Latin-1.
    """
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, int):
        return str(value)
    elif isinstance(value, datetime.datetime):
        return httputil.format_timestamp(value)
    else:
        raise TypeError(
            f"a header value must be str, bytes, int or datetime, got {type(value).__name__}: {value!r}"
        )
    found = UNSENDABLE.search(text)
    if found is None:
        return text
    if found[0] > "\xff":
        raise ValueError(f"header value {text!r} is not Latin-1: encode it first, for example as UTF-8")
    raise ValueError(f"Unsafe header value {text!r}: it contains a control character")


def add_field_name(error: Exception, name: str) -> None:
    """Add the name of a header field to the message of an error that the field's value has caused."""
    if len(error.args) == 1 and isinstance(error.args[0], str) and name not in error.args[0]:
        error.args = (f"{error.args[0]} (in the header field {name!r})",)


def reason_phrase(status_code: int, reason: str | None) -> str:
    """Return the reason phrase to send: by default the standard one; "Unknown" replaces an unsafe one."""
    if reason is None:
        return httputil.responses.get(status_code, "Unknown")
    text = native_str(reason)
    # The phrase may contain text from the client, and is usually set while an error is handled. Raising an
    # exception for an invalid phrase would cause a second error.
    return "Unknown" if _UNSAFE_REASON.search(text) else text


class _LengthLines(dict[int, str]):
    """A cache of the Content-Length line and the end of the head, by length. Formatting them takes ten times
    as long as a look-up.
    """

    def __missing__(self, length: int) -> str:
        if len(self) >= 1000:
            self.clear()
        line = self[length] = f"Content-Length: {length}\r\n\r\n"
        return line


class _SmallLengthLines(_LengthLines):
    """A `_LengthLines` for bodies smaller than `LARGE_BODY`. The look-up itself detects larger bodies, so
    small ones need no comparison, which would take about a hundred instructions.
    """

    def __missing__(self, length: int) -> str:
        if length >= LARGE_BODY:
            raise KeyError(length)
        return super().__missing__(length)


#: The Content-Length line and the end of the head, by the length of the body.
length_lines = _LengthLines()
#: The same for smaller bodies; a larger length raises KeyError.
small_length_lines = _SmallLengthLines()


def etag_matches(condition: str, etag: str) -> bool:
    """Whether an If-None-Match field contains `etag` (weak comparison)."""
    wanted = etag.removeprefix("W/")
    return any(tag == "*" or tag.removeprefix("W/") == wanted for tag in _etags.findall(condition))


def is_confirmed(request: httputil.HTTPServerRequest, etag: str) -> bool:
    """Whether the client's copy of the response, with the entity tag `etag`, is current."""
    condition = request.headers.get("If-None-Match")
    return condition is not None and etag_matches(condition, etag)


def request_field(request: httputil.HTTPServerRequest, name: str) -> Any:
    """Return a request header field without creating the mapping if the field is absent, as it usually is."""
    try:
        head = request._head
    except AttributeError:  # a request created by the program
        return request.headers.get(name)
    if name.lower() not in head.headers_block.lower() and "headers" not in request.__dict__:
        return None
    return request.headers.get(name)
