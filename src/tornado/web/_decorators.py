"""Decorators for handlers and their methods."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, overload
from urllib.parse import urlencode, urlsplit

from tornado import gen
from tornado.concurrent import Future
from tornado.httputil import HTTPServerRequest
from tornado.web._authentication import missing_scope, refusal
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler

_ABSOLUTE = re.compile(r"\A[\x00-\x20]*[A-Za-z][A-Za-z0-9+.-]*:(?://[^/?#\\]*)?")
_LEADING_SLASHES = re.compile(r"\A[\x00-\x20\x7f/\\]+")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")

_Class = TypeVar("_Class", bound=type[RequestHandler])
Method = Callable[..., "Awaitable[None] | None"]
#: Results of a `get_current_user` that is asynchronous.
_PENDING = (types.CoroutineType, Future)


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


@overload
def authenticated(method: Method) -> Method: ...
@overload
def authenticated(
    method: None = None,
    *,
    scheme: str | None = None,
    realm: str | None = None,
    scopes: str | Iterable[str] = (),
) -> Callable[[Method], Method]: ...
def authenticated(
    method: Method | None = None,
    *,
    scheme: str | None = None,
    realm: str | None = None,
    scopes: str | Iterable[str] = (),
) -> Method | Callable[[Method], Method]:
    """Method decorator: only for users that are logged in (`RequestHandler.current_user`).

    Others are sent to `RequestHandler.get_login_url`, with the requested address as ``next``, if the login
    address has no query of its own; a request that is not GET or HEAD is answered with 403. ``next`` is
    always an address of this host: for ``//example.com/a`` it is ``/example.com/a``.

    With a `scheme`, here or in `RequestHandler.authentication_scheme`, it protects an API: others get 401
    with ``WWW-Authenticate`` (`AuthenticationError`), whatever the method. ::

        class OrdersHandler(RequestHandler):
            authentication_scheme = "Bearer"

            @authenticated
            def get(self): ...

            @authenticated(scopes=["orders:write"])
            def post(self): ...

    `RequestHandler.get_current_user` may be a coroutine function here: its result is awaited, and becomes
    `RequestHandler.current_user`, before the method is called.

    :param scheme: of the challenge, such as ``"Bearer"``; by default that of the handler's class.
    :param realm: the name of the protected area; by default `RequestHandler.authentication_realm`.
    :param scopes: what the user's token must allow (`RequestHandler.granted_scopes`), as a list or a text
        with spaces between. Without one of them the answer is 403 with ``insufficient_scope`` (RFC 6750
        section 3.1).
    :raises TypeError: if it is used with another positional argument than a method.
    """
    if method is not None and not callable(method):
        raise TypeError(f"@authenticated takes keyword arguments, as in scheme='Bearer', not {method!r}")
    required = tuple(scopes.split() if isinstance(scopes, str) else scopes)

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def only_logged_in(self: RequestHandler, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
            user = self.current_user
            if isinstance(user, _PENDING):
                # It would count as a user, whatever it results in.
                return _await_user(self, user, only_logged_in, args, kwargs)
            if not user:
                _refuse(self, scheme or self.authentication_scheme, realm, required)
                return None
            if required and not set(required).issubset(self.granted_scopes):
                raise missing_scope(self, realm or self.authentication_realm, required)
            return method(self, *args, **kwargs)

        # Audits find unprotected handlers by the name of this function.
        return only_logged_in

    return decorate if method is None else decorate(method)


async def _await_user(
    handler: RequestHandler, user: Awaitable[Any], method: Method, args: Any, kwargs: Any
) -> Any:
    """Find out the user, then call the decorated method again."""
    handler.current_user = await user
    result = method(handler, *args, **kwargs)
    return None if result is None else await gen.convert_yielded(result)


def _refuse(handler: RequestHandler, scheme: str | None, realm: str | None, scopes: tuple[str, ...]) -> None:
    """Answer a request that has no user.

    :raises HTTPError: in place of the redirect to the login page.
    """
    if scheme is not None:
        raise refusal(handler, scheme, realm or handler.authentication_realm, " ".join(scopes))
    if handler.request.method not in ("GET", "HEAD"):
        raise HTTPError(403)
    url = handler.get_login_url()
    if "?" not in url:
        target = _own_target(handler.request)
        if urlsplit(url).scheme:
            target = f"{handler.request.protocol}://{handler.request.host}{target}"
        url = f"{url}?{urlencode({'next': target})}"
    handler.redirect(url)
