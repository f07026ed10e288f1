"""Ready-made handlers: an error, a redirect, another server's application."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPServerRequest, qs_to_qsl, url_concat
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler

# As browsers read an address (https://url.spec.whatwg.org/#url-parsing): tabs and line ends are dropped
# wherever they stand, a backslash is a slash, and before the host there may be any number of slashes.
_STRIPPED = "".join(map(chr, range(33)))
_DROPPED = str.maketrans("\\", "/", "\t\r\n")
_ADDRESS = re.compile(r"(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(/*)([^/?#]*)")
_WITH_HOST = frozenset({"ftp", "http", "https", "ws", "wss"})
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")
#: Characters of a refused address that are logged.
_SHOWN = 200


class ErrorHandler(RequestHandler):
    """Answers every request with one status; what an application shows where no route matches.

    :param int status_code: (of the route) the status.
    """

    def initialize(self, status_code: int) -> None:
        """Take the route's argument; see the class."""
        self.set_status(status_code)

    def prepare(self) -> None:
        """Raise the error, whatever the method."""
        status = self._status_code
        raise HTTPError(status)

    def check_xsrf_cookie(self) -> None:
        """An error page changes nothing and needs no token."""

    def check_trusted_origin(self, origin: str) -> bool:
        """An error page may be asked for from anywhere."""
        return True


class ServerOptionsHandler(RequestHandler):
    """Answers ``OPTIONS *``, which asks about the server as a whole (RFC 9110 section 9.3.7), where no route
    does.
    """

    def options(self) -> None:
        """204, and the methods known to every handler."""
        self.set_status(204)
        self.set_header("Allow", ", ".join(RequestHandler.SUPPORTED_METHODS))


class RedirectHandler(RequestHandler):
    """Sends GET requests elsewhere; groups of the route's pattern fill ``{0}`` or ``{name}`` in the address.

    ::

        (r"/pictures/(.*)", RedirectHandler, {"url": "https://media.example.com/{0}"})

    Query arguments of the request are added to the address. What fills it cannot choose the scheme or the
    host: a request that would is answered with 400.

    :param str url: (of the route) where to.
    :param bool permanent: (of the route) 301, else 302.
    """

    def initialize(self, url: str, permanent: bool = True) -> None:
        """Take the route's arguments; see the class."""
        self._url, self._permanent = url, permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        """Redirect."""
        template = self._url
        target = template.format(*args, **kwargs)
        if args or kwargs:
            # A "?" ends the host: with it in every gap only what the template itself says of the host is
            # left.
            gaps = template.format(*["?"] * len(args), **dict.fromkeys(kwargs, "?"))
            if _origins(target) != _origins(gaps):
                raise HTTPError(400, "Redirect URL cannot change the scheme or netloc: %r", target[:_SHOWN])
            if _UNSENDABLE.search(target):
                raise HTTPError(400, "Redirect URL contains invalid characters: %r", target[:_SHOWN])
        if self.request.query_arguments:
            target = url_concat(target, list(qs_to_qsl(self.request.query_arguments)))  # type: ignore[arg-type]
        self.redirect(target, permanent=self._permanent)


def _origins(url: str) -> set[tuple[str, str]]:
    """Scheme and authority in `url` as browsers find them, and as clients do that go by RFC 3986 alone.

    Both are empty where the address goes by the page's own.
    """
    url = url.strip(_STRIPPED)
    return {_origin(url.translate(_DROPPED)), _origin(url)}


def _origin(url: str) -> tuple[str, str]:
    match = _ADDRESS.match(url)
    assert match is not None, "the pattern matches the empty string too"
    scheme, slashes, authority = match.groups(default="")
    scheme = scheme.lower()
    return scheme, authority.lower() if len(slashes) > 1 or scheme in _WITH_HOST else ""


class FallbackHandler(RequestHandler):
    """Hands requests to another callable that takes an `.HTTPServerRequest`, such as a `.WSGIContainer`.

    ::

        container = tornado.wsgi.WSGIContainer(wsgi_app)
        Application([(r"/new", NewHandler), (r".*", FallbackHandler, {"fallback": container})])

    :param fallback: (of the route) is called with the request, and answers it through ``request.connection``.
    """

    def initialize(self, fallback: Callable[[HTTPServerRequest], object]) -> None:
        """Take the route's argument; see the class."""
        self.fallback = fallback

    def prepare(self) -> None:
        """Call it, and have no more to do with this request."""
        self.fallback(self.request)
        self._finished = True
        self.on_finish()
