"""The values of specific header fields: dates, credentials, parameters."""

from __future__ import annotations

import calendar
import datetime
import http
import time
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tornado._wire.dates import format_http_date
from tornado._wire.field_parameters import format_parameters, parse_parameters
from tornado._wire.ranges import format_content_range, parse_range

if TYPE_CHECKING:
    import unittest

#: The whitespace that may surround a field value (RFC 9110 section 5.6.3). ``str.strip()`` would remove more.
HTTP_WHITESPACE = " \t"

#: Reason phrases by status code.
responses: dict[int, str] = {status.value: status.phrase for status in http.HTTPStatus}


def format_timestamp(
    ts: int | float | tuple[int, ...] | time.struct_time | datetime.datetime,
) -> str:
    """Format a time as in the Date field (RFC 9110 section 5.6.7).

    :param ts: seconds since 1970, a UTC time tuple, or a ``datetime``. A ``datetime`` without a time zone is
        taken as UTC.
    :raises TypeError: if `ts` has another type.

    >>> format_timestamp(0)
    'Thu, 01 Jan 1970 00:00:00 GMT'
    """
    if isinstance(ts, (int, float)):
        return format_http_date(ts)
    if isinstance(ts, (tuple, time.struct_time)):
        return format_http_date(calendar.timegm(ts))
    if isinstance(ts, datetime.datetime):
        return format_http_date(calendar.timegm(ts.utctimetuple()))
    raise TypeError(f"a timestamp must be a number, a time tuple or a datetime, got {ts!r}")


def encode_username_password(username: str | bytes, password: str | bytes) -> bytes:
    """Join a user name and password as the ``Basic`` scheme does before base64 encoding (RFC 7617 section
    2.1).

    Text is normalized to NFC and encoded as UTF-8; bytes are used unchanged.
    """
    pair = [
        unicodedata.normalize("NFC", text).encode("utf-8") if isinstance(text, str) else text
        for text in (username, password)
    ]
    return b"%b:%b" % (pair[0], pair[1])


def _parse_header(line: str) -> tuple[str, dict[str, str]]:
    """Split the text of a header field into the value and its parameters; omit parameters without ``=``.

    See `parse_parameters`.
    """
    value, parameters = parse_parameters(line)
    return value, {name: content for name, content in parameters.items() if content is not None}


def _parseparam(s: str) -> Iterator[str]:
    """Yield the stripped parameters of a field value from its first ``;`` on; only programs call this.

    >>> list(_parseparam('; name="a;b"; c'))
    ['name="a;b"', 'c']
    """
    if not s.startswith(";"):
        return
    quoted, begin = False, 1
    for position in range(1, len(s)):
        if s[position] == '"' and s[position - 1] != "\\":
            quoted = not quoted
        elif s[position] == ";" and not quoted:
            yield s[begin:position].strip()
            begin = position + 1
    yield s[begin:].strip()


def _encode_header(key: str, pdict: Mapping[str, str | int | None]) -> str:
    """Format a value and its parameters, the inverse of `_parse_header`.

    A parameter whose value is None is written without ``=``.
    """
    return format_parameters(key, pdict)


def _int_or_none(val: str) -> int | None:
    """Return the number in a string, or None if the string is blank."""
    val = val.strip()
    return int(val) if val else None


def doctests() -> unittest.TestSuite:
    """Return the examples in this module's documentation as a test suite."""
    import doctest
    import importlib

    module = importlib.import_module("tornado.httputil")
    # The examples use names of the wire layer, which `tornado.httputil` does not have.
    extra = {"parse_range": parse_range, "format_content_range": format_content_range}
    return doctest.DocTestSuite(module, extraglobs=extra)
