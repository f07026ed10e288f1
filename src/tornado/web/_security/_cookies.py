"""The cookies of a request and of its response."""

from __future__ import annotations

import datetime
import re
import warnings
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from tornado import httputil
from tornado._wire.cookies import (
    ATTRIBUTES,
    InvalidCookie,
    check_attribute,
    format_set_cookie,
    has_prefix,
    is_cookie_name,
    rejection_reason,
)
from tornado.escape import native_str
from tornado.log import gen_log
from tornado.web._execution._bypassed_methods import COOKIES
from tornado.web._execution._response import response_of

if TYPE_CHECKING:
    from tornado.web._execution._response import ResponseOwner

_BAD_VALUE = re.compile(r"[\x00-\x20]")
_SECONDS = re.compile(r"-?[0-9]+")
_YEAR = datetime.timedelta(days=365)
#: Names of cookies that browsers drop, for which a warning has been logged; at most `_MAX_LOGGED_NAMES`.
_LOGGED_NAMES: set[str] = set()
_MAX_LOGGED_NAMES = 100


# -- reading --


def get_cookie(handler: ResponseOwner, name: str, default: str | None) -> str | None:
    """Return the value of a cookie. It is read directly from the Cookie field, unless the `http.cookies`
    objects have been created or replaced. Creating those would take twenty times as long.
    """
    request = handler.request
    if type(request) is httputil.HTTPServerRequest and "cookies" not in request.__dict__:
        value = request._cookie_values.get(name)
        # As in `cookies`, invalid names are ignored; a program cannot have set them.
        return value if value is not None and is_cookie_name(name) else default
    cookies = request.cookies
    return cookies[name].value if name in cookies else default


# -- setting --


class SetCookie:
    """A cookie of the response, with the attributes of `http.cookies.Morsel` that are needed to send it."""

    __slots__ = ("key", "line", "value")

    def __init__(self, key: str, value: str, line: str) -> None:
        self.key, self.value, self.line = key, value, line

    def OutputString(self, attrs: Any = None) -> str:
        """Return the value of the Set-Cookie field."""
        return self.line


def set_cookie(
    handler: ResponseOwner, name: str, value: str | bytes, attributes: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Add a cookie to the response, replacing one of the same name.

    :param attributes: the arguments of ``set_cookie`` by their names.
    :param extra: other attributes, in the spelling of `http.cookies`, in upper or lower case.
    :raises ValueError: if the value contains a control character or a space.
    :raises InvalidCookie: (an ``http.cookies.CookieError`` too) if anything else cannot be sent.
    """
    name = native_str(name)
    value = native_str(value)
    check_attribute("name", name)
    if _BAD_VALUE.search(value):
        raise ValueError(f"Invalid cookie {name!r}: {value!r}: control characters and spaces are not allowed")
    given = {
        key: content.decode() if type(content) is bytes else content
        for key, content in attributes.items()
        if content
    }
    if "expires" in given or "expires_days" in given or attributes["expires_days"] == 0:
        given["expires"] = _expires(attributes["expires"], attributes["expires_days"])
        given.pop("expires_days", None)
    if "max_age" in given:
        given["max_age"] = _seconds("max_age", given["max_age"])
    if extra:
        _add_extra(given, extra, attributes)
    line = format_set_cookie(name, value, given)
    problem = rejection_reason(name, given)
    if problem is not None:
        _log_dropped(name, problem)
    response = response_of(handler)
    cookies = response.cookies
    if cookies is None:
        cookies = response.cookies = {}
    else:
        # The old cookie is removed first, so that cookies are sent in the order in which they were last set.
        cookies.pop(name, None)
    cookies[name] = SetCookie(name, value, line)


def _log_dropped(name: str, problem: str) -> None:
    """Log, once for each name, that browsers drop a cookie. The cookie is sent for other clients."""
    if name in _LOGGED_NAMES or len(_LOGGED_NAMES) >= _MAX_LOGGED_NAMES:
        return
    _LOGGED_NAMES.add(name)
    gen_log.warning("Browsers do not keep the cookie %r as it was set: %s", name, problem)


#: The last date that a cookie can have.
_LAST_DATE = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def _expires(expires: Any, days: float | None) -> str:
    if days is not None and not expires:
        try:
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        except TypeError:
            raise TypeError(f"expires_days must be a number of days, got {days!r:.100}") from None
        except OverflowError:
            # A year has four digits (RFC 9110 section 5.6.7), and no browser keeps a cookie beyond 400 days.
            expires = _LAST_DATE if days > 0 else 0
    return httputil.format_timestamp(expires)


def _seconds(key: str, value: Any) -> str:
    """Return the text of Max-Age for a number given as an int, a float or a str."""
    if isinstance(value, (str, bytes)):
        value = native_str(value)
        check_attribute(key, value)
    elif isinstance(value, float):
        value = int(value)
    if _SECONDS.fullmatch(str(value)) is None:
        raise InvalidCookie(f"Invalid cookie attribute {key}: must be a number of seconds, got {value!r}")
    return str(value)


def _add_extra(given: dict[str, Any], extra: dict[str, Any], arguments: Container[str]) -> None:
    """Add attributes that are given by their names in `http.cookies`, the older spelling of `arguments`."""
    for key, value in extra.items():
        spelling = key.lower().replace("-", "_")
        if spelling.replace("_", "-") not in ATTRIBUTES:
            raise InvalidCookie(f"Invalid cookie attribute {key}: the name is unknown")
        if spelling in arguments:
            warnings.warn(
                f"Deprecated arguments to set_cookie: {key!r} (spell it {spelling!r})",
                DeprecationWarning,
                stacklevel=4,
            )
        if value is None or value is False:
            continue
        if isinstance(value, (str, bytes)):
            value = native_str(value)
            check_attribute(key, value)
        given[spelling] = _seconds(key, value) if spelling == "max_age" else value


# -- clearing --


def clear_cookie(handler: ResponseOwner, name: str, attributes: dict[str, Any]) -> None:
    """Set an empty cookie that expired a year ago."""
    for forbidden in ("expires", "max_age"):
        if forbidden in attributes:
            raise TypeError(f"clear_cookie() got an unexpected keyword argument {forbidden!r}")
    if has_prefix(native_str(name)):
        # A browser replaces the cookie only if the new one satisfies the requirements of the prefix too.
        attributes.setdefault("secure", True)
    expires = datetime.datetime.now(datetime.UTC) - _YEAR
    handler.set_cookie(name, value="", expires=expires, **attributes)


def clear_all_cookies(handler: ResponseOwner, attributes: dict[str, Any]) -> None:
    """Clear each cookie of the request.

    A cookie whose prefix does not allow `attributes` is cleared with the attributes that its prefix requires.
    """
    # If the methods for setting and clearing a cookie are not replaced, they are called for the first cookie
    # only, and its attributes are reused for the others: a head may contain 8,000 cookies, and calling the
    # methods takes 20 us for each.
    own = COOKIES.are_original_on(handler)
    response = response_of(handler)
    attributes_sent: str | None = None
    for name in handler.request.cookies:
        if has_prefix(name):
            handler.clear_cookie(name, **_required_attributes(name, attributes))
        elif attributes_sent is None or not own:
            handler.clear_cookie(name, **attributes)
            set_last = (response.cookies or {}).get(name)
            if type(set_last) is SetCookie:
                attributes_sent = set_last.line.removeprefix(name)
        else:
            assert response.cookies is not None, "the first one is in it"
            response.cookies.pop(name, None)
            response.cookies[name] = SetCookie(name, "", name + attributes_sent)


def _required_attributes(name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    without: Container[str] = {"secure", "path", "domain"} if has_prefix(name, "__host-") else {"secure"}
    return {key: value for key, value in attributes.items() if key.lower() not in without} | {"secure": True}
