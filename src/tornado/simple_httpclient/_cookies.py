"""Cookies as an extension of a fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado import httputil
from tornado._wire.h1 import ResponseHead
from tornado.httpclient import HTTPRequest
from tornado.httpclient._cookies import cookie_field, store_cookies
from tornado.simple_httpclient._extension import FollowUp

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

__all__ = ["CookieExtension"]


class CookieExtension:
    """Sends a jar's cookies with each hop of one fetch, and stores those of each response.

    :param jar: the request's, or the client's.
    """

    def __init__(self, jar: CookieJar) -> None:
        self._jar = jar

    def prepare(self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders) -> None:
        """Add the jar's cookies to those that the program sends itself."""
        cookies = cookie_field(self._jar, request.url)
        if cookies is not None:
            own = headers.get("Cookie")
            headers["Cookie"] = f"{own}; {cookies}" if own else cookies

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Store cookies, those of redirects and errors as well."""
        store_cookies(self._jar, request.url, head.headers)
        return None

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Leave errors alone."""
        return None
