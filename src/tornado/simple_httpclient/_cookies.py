"""`CookieExtension`: a fetch extension that sends and stores cookies."""

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
    """A fetch extension that sends a jar's cookies with each hop and stores those of each response.

    :param jar: the cookie jar of the request or of the client.
    """

    def __init__(self, jar: CookieJar) -> None:
        self._jar = jar

    def prepare(self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders) -> None:
        """Add the jar's cookies to the Cookie field, after cookies that the program has set itself."""
        cookies = cookie_field(self._jar, request.url)
        if cookies is not None:
            own = headers.get("Cookie")
            headers["Cookie"] = f"{own}; {cookies}" if own else cookies

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Store the cookies of any response, including redirects and error responses."""
        store_cookies(self._jar, request.url, head.headers)
        return None

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Return None: errors are not handled here."""
        return None
