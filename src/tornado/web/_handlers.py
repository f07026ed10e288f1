"""Ready-made handlers: an error, a redirect, another server's application."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler


class ErrorHandler(RequestHandler):
    """Answers every request with one status; what an application shows where no route matches."""

    def initialize(self, status_code: int) -> None:
        """:param status_code: of every answer."""
        self.set_status(status_code)

    def prepare(self) -> None:
        """Raise the error, whatever the method."""
        raise HTTPError(self._status_code)

    def check_xsrf_cookie(self) -> None:
        """An error page changes nothing and needs no token."""

    def check_trusted_origin(self, origin: str) -> bool:
        """An error page may be asked for from anywhere."""
        return True


class RedirectHandler(RequestHandler):
    """Sends GET requests elsewhere; groups of the route's pattern fill ``{0}`` or ``{name}`` in the address.

    ::

        (r"/pictures/(.*)", RedirectHandler, {"url": "/photos/{0}"})

    Query arguments of the request are added to the address.
    """

    def initialize(self, url: str, permanent: bool = True) -> None:
        """:param url: where to. :param permanent: 301, else 302."""
        self._url = url
        self._permanent = permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        """Redirect."""
        from tornado.httputil import qs_to_qsl, url_concat

        target = self._url.format(*args, **kwargs)
        if self.request.query_arguments:
            target = url_concat(target, list(qs_to_qsl(self.request.query_arguments)))  # type: ignore[arg-type]
        self.redirect(target, permanent=self._permanent)


class FallbackHandler(RequestHandler):
    """Hands requests to another callable that takes an `.HTTPServerRequest`, such as a `.WSGIContainer`."""

    def initialize(self, fallback: Any) -> None:
        """:param fallback: called with the request; it answers through the request's connection."""
        self.fallback = fallback

    def prepare(self) -> None:
        """Call it, and have no more to do with this request."""
        request: HTTPServerRequest = self.request
        self.fallback(request)
        self._finished = True
        self.on_finish()
