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
_SECONDS = re.compile(r"-?[0-9]+")


class InvalidCookie(http.cookies.CookieError, ValueError):
    """A name or attribute that would end its field and begin another; caught as either of its bases."""


def set_cookie(
    handler: RequestHandler, name: str, value: str | bytes, attributes: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Put a cookie among those that go with the response, in place of one of the same name."""
    name = native_str(name)
    value = native_str(value)
    _check("name", name)
    if _BAD_VALUE.search(name + value):
        raise ValueError(f"Invalid cookie {name!r}: {value!r}: control characters and spaces are not allowed")
    try:
        jar: http.cookies.SimpleCookie = http.cookies.SimpleCookie({name: value})
    except http.cookies.CookieError as error:
        raise InvalidCookie(f"Invalid cookie name {name!r}: {error}") from error
    morsel = jar[name]
    _set_attributes(morsel, attributes)
    _set_extra_attributes(morsel, attributes, extra)
    if handler._new_cookie is None:
        handler._new_cookie = jar
    else:
        # Taken out first, so that cookies are sent in the order in which they were set last.
        handler._new_cookie.pop(name, None)
        handler._new_cookie[name] = morsel


def _set_attributes(morsel: http.cookies.Morsel[str], attributes: dict[str, Any]) -> None:
    """The attributes that are arguments of ``set_cookie``."""
    expires = attributes["expires"]
    if attributes["expires_days"] is not None and not expires:
        expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=attributes["expires_days"])
    if expires:
        morsel["expires"] = httputil.format_timestamp(expires)
    for key in ("domain", "path", "samesite"):
        if attributes[key]:
            _put(morsel, key, attributes[key])
    if attributes["max_age"]:
        _put(morsel, "max_age", attributes["max_age"])
    for key in ("httponly", "secure"):
        if attributes[key]:
            morsel[key] = True


def _set_extra_attributes(
    morsel: http.cookies.Morsel[str], attributes: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Attributes by the names that `http.cookies` knows, in any case; older than the arguments."""
    for key, value in extra.items():
        spelling = key.lower().replace("-", "_")
        if not morsel.isReservedKey(_field(key)):
            raise InvalidCookie(f"Invalid cookie attribute {key}: there is none of that name")
        if spelling in attributes:
            warnings.warn(
                f"Deprecated arguments to set_cookie: {key!r} (spell it {spelling!r})",
                DeprecationWarning,
                stacklevel=4,
            )
        if value is not None and value is not False:
            _put(morsel, key, value)


def _field(key: str) -> str:
    return key.lower().replace("_", "-")


def _put(morsel: http.cookies.Morsel[str], key: str, value: Any) -> None:
    """Set an attribute, by whatever spelling, after a look at its value."""
    field = _field(key)
    if isinstance(value, (str, bytes)):
        value = native_str(value)
        _check(key, value)
    if field == "max-age":
        if isinstance(value, float):
            value = int(value)
        if _SECONDS.fullmatch(str(value)) is None:
            raise InvalidCookie(f"Invalid cookie attribute {key}: a number of seconds, not {value!r}")
    morsel[field] = value


def _check(key: str, text: str) -> None:
    if _BAD_ATTRIBUTE.search(text):
        raise InvalidCookie(
            f"Invalid cookie attribute {key}: {text!r} holds a control character or semicolon"
        )


def clear_cookie(handler: RequestHandler, name: str, attributes: dict[str, Any]) -> None:
    """Set an empty cookie that expired a year ago."""
    for forbidden in ("expires", "max_age"):
        if forbidden in attributes:
            raise TypeError(f"clear_cookie() got an unexpected keyword argument {forbidden!r}")
    expires = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=365)
    handler.set_cookie(name, value="", expires=expires, **attributes)
