"""Decorators for handlers and their methods."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler

_ABSOLUTE = re.compile(r"\A[\x00-\x20]*[A-Za-z][A-Za-z0-9+.-]*:(?://[^/?#\\]*)?")
_LEADING_SLASHES = re.compile(r"\A[\x00-\x20\x7f/\\]+")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")

_Class = TypeVar("_Class", bound=type[RequestHandler])
Method = Callable[..., "Awaitable[None] | None"]


def stream_request_body(cls: _Class) -> _Class:
    """Class decorator: hand the request body to ``data_received`` as it arrives, instead of collecting it.

    ``request.body`` and body arguments stay empty; ``prepare`` may be async and is over before the first
    bytes come; the method runs after the last. `.HTTP1Connection.set_max_body_size` on
    ``self.request.connection``, called in ``prepare``, lets larger bodies through.

    :raises TypeError: if `cls` is not a `RequestHandler` class.
    """
    if not (isinstance(cls, type) and issubclass(cls, RequestHandler)):
        raise TypeError(f"@stream_request_body decorates subclasses of RequestHandler, not {cls!r}")
    cls._stream_request_body = True
    return cls


def _has_stream_request_body(cls: type[RequestHandler]) -> bool:
    """Whether `stream_request_body` decorates `cls` or one of its bases. Monitoring agents call this.

    :raises TypeError: if `cls` is not a `RequestHandler` class.
    """
    if not issubclass(cls, RequestHandler):
        raise TypeError(f"expected a subclass of RequestHandler, got {cls!r}")
    return cls._stream_request_body


def _redirect_get(handler: RequestHandler, path: str) -> bool:
    """Send GET and HEAD to another path of this host; refuse other methods."""
    if handler.request.method not in ("GET", "HEAD"):
        return False
    if path.startswith(("//", "/\\", "\\")) or _UNPRINTABLE.search(path):
        raise HTTPError(403, "cannot redirect path with two initial slashes")
    if handler.request.query:
        path += "?" + handler.request.query
    handler.redirect(path, permanent=True)
    return True


def removeslash(method: Method) -> Method:
    """Method decorator: redirect ``/foo/`` to ``/foo``; the route's pattern ends in ``/?`` or ``/*``."""

    @functools.wraps(method)
    def without_slash(self: RequestHandler, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        path = self.request.path
        if path.endswith("/"):
            shorter = path.rstrip("/")
            if self.request.method not in ("GET", "HEAD"):
                raise HTTPError(404)
            if shorter:
                _redirect_get(self, shorter)
                return None
        return method(self, *args, **kwargs)

    return without_slash


def addslash(method: Method) -> Method:
    """Method decorator: redirect ``/foo`` to ``/foo/``; the route's pattern ends in ``/?``."""

    @functools.wraps(method)
    def with_slash(self: RequestHandler, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        path = self.request.path
        if not path.endswith("/"):
            if _redirect_get(self, path + "/"):
                return None
            raise HTTPError(404)
        return method(self, *args, **kwargs)

    return with_slash


def _own_target(request: HTTPServerRequest) -> str:
    """Return the target of a request as a path that leads to this host, whatever redirects to it.

    ``//host``, ``/\\host`` and an absolute target lead elsewhere, and so does each of them with control
    characters or white space in front or between, which browsers drop.
    """
    target = _ABSOLUTE.sub("", request.uri)
    target = _LEADING_SLASHES.sub("/", target)
    if not target.startswith("/"):
        target = "/" + target
    return _UNPRINTABLE.sub(lambda match: f"%{ord(match[0]):02X}", target)


def authenticated(method: Method) -> Method:
    """Method decorator: only for users who are logged in (`RequestHandler.current_user`).

    Others are sent to `RequestHandler.get_login_url`, with where they wanted to go as ``next``, if that
    address has no query of its own; a request that is not GET or HEAD is answered with 403. ``next`` is
    always an address of this host: for ``//example.com/a`` it is ``/example.com/a``.
    """

    @functools.wraps(method)
    def only_logged_in(self: RequestHandler, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        if self.current_user:
            return method(self, *args, **kwargs)
        if self.request.method not in ("GET", "HEAD"):
            raise HTTPError(403)
        url = self.get_login_url()
        if "?" not in url:
            target = _own_target(self.request)
            if urlsplit(url).scheme:
                target = f"{self.request.protocol}://{self.request.host}{target}"
            url = f"{url}?{urlencode({'next': target})}"
        self.redirect(url)
        return None

    # Audits find unprotected handlers by this name.
    return only_logged_in
