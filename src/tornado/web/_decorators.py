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
from tornado.web._errors import HTTPError
from tornado.web._handler import RequestHandler
from tornado.web._security._authentication import missing_scope_error, missing_user_error

_ABSOLUTE = re.compile(r"\A[\x00-\x20]*[A-Za-z][A-Za-z0-9+.-]*:(?://[^/?#\\]*)?")
_LEADING_SLASHES = re.compile(r"\A[\x00-\x20\x7f/\\]+")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")

_Class = TypeVar("_Class", bound=type[RequestHandler])
Method = Callable[..., "Awaitable[None] | None"]
_Method = TypeVar("_Method", bound=Method)
#: The types that an asynchronous `get_current_user` may return in place of a user.
_PENDING = (types.CoroutineType, Future)


def stream_request_body(cls: _Class) -> _Class:
    """Class decorator: pass the request body to ``data_received`` as it arrives, instead of collecting it.

    ``request.body`` and body arguments remain empty. ``prepare`` may be async and is complete before the
    first part of the body is delivered; the HTTP method runs after the last part. To accept larger bodies,
    call `.HTTP1Connection.set_max_body_size` on ``self.request.connection`` in ``prepare``.

    :raises TypeError: if `cls` is not a `RequestHandler` class.
    """
    if not (isinstance(cls, type) and issubclass(cls, RequestHandler)):
        raise TypeError(f"@stream_request_body must decorate a subclass of RequestHandler, got {cls!r}")
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
    """Redirect GET and HEAD to another path of this host; return False for other methods."""
    if handler.request.method not in ("GET", "HEAD"):
        return False
    if path.startswith(("//", "/\\", "\\")) or _UNPRINTABLE.search(path):
        raise HTTPError(403, "cannot redirect path with two initial slashes")
    if handler.request.query:
        path += "?" + handler.request.query
    handler.redirect(path, permanent=True)
    return True


def removeslash(method: Method) -> Method:
    """Method decorator: redirect ``/foo/`` to ``/foo``. The route's pattern must end in ``/?`` or ``/*``."""

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
    """Method decorator: redirect ``/foo`` to ``/foo/``. The route's pattern must end in ``/?``."""

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
    """Return the target of a request as a path that is safe in a redirect, because it always refers to this
    host.

    ``//host``, ``/\\host`` and absolute targets refer to other hosts. So do variants with control characters
    or whitespace before or between the characters, which browsers drop.
    """
    target = _ABSOLUTE.sub("", request.uri)
    target = _LEADING_SLASHES.sub("/", target)
    if not target.startswith("/"):
        target = "/" + target
    return _UNPRINTABLE.sub(lambda match: f"%{ord(match[0]):02X}", target)


@overload
def authenticated(method: _Method) -> _Method: ...
@overload
def authenticated(
    method: None = None,
    *,
    scheme: str | None = None,
    realm: str | None = None,
    scopes: str | Iterable[str] = (),
) -> Callable[[_Method], _Method]: ...
def authenticated(
    method: Method | None = None,
    *,
    scheme: str | None = None,
    realm: str | None = None,
    scopes: str | Iterable[str] = (),
) -> Method | Callable[[Method], Method]:
    """Method decorator: require a logged-in user (`RequestHandler.current_user`).

    Anonymous users are redirected to `RequestHandler.get_login_url`. The requested URL is added to it as the
    argument ``next``, unless the login URL already has a query. ``next`` always refers to this host: for
    ``//example.com/a`` it is ``/example.com/a``. A request that is not GET or HEAD is rejected with 403.

    With a `scheme`, here or in `RequestHandler.authentication_scheme`, the method is part of an API: requests
    without a user are rejected with 401 and ``WWW-Authenticate`` (`AuthenticationError`), for any HTTP
    method. ::

        class OrdersHandler(RequestHandler):
            authentication_scheme = "Bearer"

            @authenticated
            def get(self): ...

            @authenticated(scopes=["orders:write"])
            def post(self): ...

    `RequestHandler.get_current_user` may be a coroutine function if this decorator is used. Its result is
    awaited and stored in `RequestHandler.current_user` before the method is called.

    :param scheme: the scheme of the challenge, such as ``"Bearer"``; by default
        `RequestHandler.authentication_scheme`.
    :param realm: the name of the protected area; by default `RequestHandler.authentication_realm`.
    :param scopes: the scopes that the user must have (`RequestHandler.granted_scopes`), as a list, or as a
        str with spaces between them. If one is missing, the response is 403 with ``insufficient_scope`` (RFC
        6750 section 3.1).
    :raises TypeError: if the positional argument is not callable.
    """
    if method is not None and not callable(method):
        raise TypeError(f"@authenticated accepts keyword arguments, as in scheme='Bearer', got {method!r}")
    if isinstance(method, type):
        raise TypeError(
            f"@authenticated must decorate methods such as get() and post(), got the class {method.__name__}"
        )
    required = tuple(scopes.split() if isinstance(scopes, str) else scopes)

    def decorate(method: Method) -> Method:
        @functools.wraps(method)
        def only_logged_in(self: RequestHandler, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
            user = self.current_user
            if isinstance(user, _PENDING):
                # The awaitable itself is always true, so it cannot be tested below.
                return _await_user(self, user, only_logged_in, args, kwargs)
            if not user:
                _reject(self, scheme or self.authentication_scheme, realm, required)
                return None
            if required and not set(required).issubset(self.granted_scopes):
                raise missing_scope_error(self, realm or self.authentication_realm, required)
            return method(self, *args, **kwargs)

        # Security audits of programs find unprotected handlers by the name of this function.
        return only_logged_in

    return decorate if method is None else decorate(method)


async def _await_user(
    handler: RequestHandler, user: Awaitable[Any], method: Method, args: Any, kwargs: Any
) -> Any:
    """Await the user, then call the decorated method again."""
    handler.current_user = await user
    result = method(handler, *args, **kwargs)
    return None if result is None else await gen.convert_yielded(result)


def _reject(handler: RequestHandler, scheme: str | None, realm: str | None, scopes: tuple[str, ...]) -> None:
    """Redirect a request without a user to the login page, or reject it.

    :raises HTTPError: if the request is rejected.
    """
    if scheme is not None:
        raise missing_user_error(handler, scheme, realm or handler.authentication_realm, " ".join(scopes))
    if handler.request.method not in ("GET", "HEAD"):
        raise HTTPError(403)
    url = handler.get_login_url()
    if "?" not in url:
        target = _own_target(handler.request)
        if urlsplit(url).scheme:
            target = f"{handler.request.protocol}://{handler.request.host}{target}"
        url = f"{url}?{urlencode({'next': target})}"
    handler.redirect(url)
