"""Built-in handlers: error pages, redirects, and a fallback to another application."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPServerRequest, qs_to_qsl, url_concat
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler

# Browsers parse a URL (https://url.spec.whatwg.org/#url-parsing) as follows: tabs and line ends are dropped
# everywhere, a backslash is a slash, and any number of slashes may precede the host.
_STRIPPED = "".join(map(chr, range(33)))
_DROPPED = str.maketrans("\\", "/", "\t\r\n")
_ADDRESS = re.compile(r"(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(/*)([^/?#]*)")
_WITH_HOST = frozenset({"ftp", "http", "https", "ws", "wss"})
_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")
#: The number of characters of a rejected URL that are logged.
_MAX_LOGGED = 200


class ErrorHandler(RequestHandler):
    """Responds to every request with one status code; used by an application if no route matches.

    :param int status_code: (of the route) the status code.
    """

    def initialize(self, status_code: int) -> None:
        """Store the argument of the route; see the class."""
        self.set_status(status_code)

    def prepare(self) -> None:
        """Raise the error, for any HTTP method."""
        status = self._status_code
        raise HTTPError(status)

    def check_xsrf_cookie(self) -> None:
        """Accept requests without a token, because an error page changes nothing."""

    def check_trusted_origin(self, origin: str) -> bool:
        """Accept requests from any origin, because an error page changes nothing."""
        return True


class ServerOptionsHandler(RequestHandler):
    """Responds to ``OPTIONS *``, which concerns the server as a whole (RFC 9110 section 9.3.7), if no route
    matches.
    """

    def options(self) -> None:
        """Send 204 with an Allow field that lists the methods a handler may define."""
        self.set_status(204)
        self.set_header("Allow", ", ".join(RequestHandler.SUPPORTED_METHODS))


class RedirectHandler(RequestHandler):
    """Redirects GET requests; ``{0}`` or ``{name}`` in the URL are replaced by the groups of the route's
    pattern.

    ::

        (r"/pictures/(.*)", RedirectHandler, {"url": "https://media.example.com/{0}"})

    Query arguments of the request are added to the URL. A request whose groups would change the scheme or the
    host is rejected with 400.

    :param str url: (of the route) the URL of the redirect.
    :param bool permanent: (of the route) whether to send 301 instead of 302.
    """

    def initialize(self, url: str, permanent: bool = True) -> None:
        """Store the arguments of the route; see the class."""
        self._url, self._permanent = url, permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        """Redirect the request."""
        template = self._url
        target = template.format(*args, **kwargs)
        if args or kwargs:
            # A "?" ends the host: if all groups are "?", the host contains only text of the template.
            gaps = template.format(*["?"] * len(args), **dict.fromkeys(kwargs, "?"))
            if _origins(target) != _origins(gaps):
                raise HTTPError(
                    400, "Redirect URL cannot change the scheme or netloc: %r", target[:_MAX_LOGGED]
                )
            if _UNSENDABLE.search(target):
                raise HTTPError(400, "Redirect URL contains invalid characters: %r", target[:_MAX_LOGGED])
        if self.request.query_arguments:
            target = url_concat(target, list(qs_to_qsl(self.request.query_arguments)))  # type: ignore[arg-type]
        self.redirect(target, permanent=self._permanent)


def _origins(url: str) -> set[tuple[str, str]]:
    """Return scheme and authority of `url` as parsed by browsers, and as parsed strictly by RFC 3986.

    Scheme and authority are empty if the URL is relative to the URL of the page.
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
    """Passes requests to another callable that accepts an `.HTTPServerRequest`, such as a `.WSGIContainer`.

    ::

        container = tornado.wsgi.WSGIContainer(wsgi_app)
        Application([(r"/new", NewHandler), (r".*", FallbackHandler, {"fallback": container})])

    :param fallback: (of the route) called with the request; it responds through ``request.connection``.
    """

    def initialize(self, fallback: Callable[[HTTPServerRequest], object]) -> None:
        """Store the argument of the route; see the class."""
        self.fallback = fallback

    def prepare(self) -> None:
        """Call the fallback, which handles the rest of the request."""
        call: Any = getattr(self.fallback, "call_observed", None)
        observer = self.application.observer
        if call is None or observer is None:
            self.fallback(self.request)
        else:
            call(self.request, observer)
        self._finished = True
        self.on_finish()
