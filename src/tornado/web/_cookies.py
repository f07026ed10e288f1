"""Setting and clearing cookies on a response."""

from __future__ import annotations

import datetime
import http.cookies
import re
import warnings
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado.escape import native_str

if TYPE_CHECKING:
    from tornado.web._handler import RequestHandler

_BAD_VALUE = re.compile(r"[\x00-\x20]")
_BAD_ATTRIBUTE = re.compile(r"[\x00-\x1f\x7f;]")


def set_cookie(
    handler: RequestHandler, name: str, value: str | bytes, attributes: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Put a cookie among those that go with the response, in place of one of the same name."""
    name = native_str(name)
    value = native_str(value)
    if _BAD_VALUE.search(name + value):
        raise ValueError(f"Invalid cookie {name!r}: {value!r}: control characters and spaces are not allowed")
    jar = handler._new_cookie
    if jar is None:
        jar = handler._new_cookie = http.cookies.SimpleCookie()
    jar.pop(name, None)
    try:
        jar[name] = value
    except http.cookies.CookieError as error:
        raise ValueError(f"Invalid cookie name {name!r}: {error}") from error
    morsel = jar[name]
    try:
        _set_attributes(morsel, attributes, extra)
    except ValueError:
        del jar[name]
        raise


def _set_attributes(morsel: http.cookies.Morsel[str], attributes: dict[str, Any], extra: dict[str, Any]) -> None:
    for key, value in extra.items():
        key = key.replace("_", "-") if key.lower() == "max_age" else key
        lower = key.lower()
        if not morsel.isReservedKey(lower):
            raise ValueError(f"unknown cookie attribute {key!r}")
        spelling = lower.replace("-", "_")
        if spelling in attributes and spelling != key:
            warnings.warn(
                f"Deprecated arguments to set_cookie: {key!r} (spell it {spelling!r})", DeprecationWarning, stacklevel=4
            )
        if value is None or value is False:
            continue
        _put(morsel, lower, value)
    expires = attributes["expires"]
    if attributes["expires_days"] is not None and not expires:
        expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=attributes["expires_days"])
    if expires:
        morsel["expires"] = httputil.format_timestamp(expires)
    for key in ("domain", "path", "samesite"):
        if attributes[key]:
            _put(morsel, key, attributes[key])
    if attributes["max_age"]:
        # Kept as given where it is not a number, so that the check below names it.
        _put(morsel, "max-age", attributes["max_age"])
    for key in ("httponly", "secure"):
        if attributes[key]:
            morsel[key] = True


def _put(morsel: http.cookies.Morsel[str], key: str, value: Any) -> None:
    if isinstance(value, (str, bytes)):
        value = native_str(value)
        if _BAD_ATTRIBUTE.search(value):
            raise ValueError(f"cookie attribute {key} must not hold control characters or semicolons: {value!r}")
        if key == "max-age" and re.fullmatch(r"-?[0-9]+", value) is None:
            raise ValueError(f"cookie attribute max_age is a number of seconds, not {value!r}")
    morsel[key] = value


def clear_cookie(handler: RequestHandler, name: str, attributes: dict[str, Any]) -> None:
    """Set an empty cookie that expired a year ago."""
    for forbidden in ("expires", "max_age"):
        if forbidden in attributes:
            raise TypeError(f"clear_cookie() got an unexpected keyword argument {forbidden!r}")
    expires = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=365)
    handler.set_cookie(name, value="", expires=expires, **attributes)
