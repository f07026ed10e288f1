"""Creation of a fetch's extensions from the arguments of the request and of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from tornado import httputil
from tornado._wire.h1 import ResponseHead
from tornado.httpclient import HTTPRequest
from tornado.httpclient._hooks import BeforeRequest
from tornado.simple_httpclient._cookies import CookieExtension
from tornado.simple_httpclient._digest import CredentialsCache, DigestExtension
from tornado.simple_httpclient._extension import Extension, ExtensionFactory, FollowUp
from tornado.simple_httpclient._retries import RetryExtension

__all__ = [
    "HookExtension",
    "default_factories",
    "has_own_extensions",
    "make_extensions",
]


class HookExtension:
    """A fetch extension that calls a program's ``before_request`` hook for each hop."""

    def __init__(self, hook: BeforeRequest) -> None:
        self._hook = hook

    def prepare(
        self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders
    ) -> Awaitable[object] | None:
        """Call the hook, which may change the header fields."""
        result = self._hook(request, headers)
        return result if isinstance(result, Awaitable) else None

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Return None: responses are not handled here."""
        return None

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Return None: errors are not handled here."""
        return None


def default_factories(
    cookie_jar: Any, retry: Any, before_request: BeforeRequest | None
) -> list[ExtensionFactory]:
    """Return the factories of the extensions that the client's settings require."""
    factories: list[ExtensionFactory] = []
    if cookie_jar is not None:
        factories.append(lambda request: CookieExtension(cookie_jar) if request.cookies is None else None)
    if retry is not None:
        factories.append(lambda request: RetryExtension(retry) if request.retry is None else None)
    if before_request is not None:
        hook = before_request
        factories.append(lambda request: HookExtension(hook))
    return factories


def has_own_extensions(request: HTTPRequest) -> bool:
    """Whether the arguments of a request require extensions."""
    return request.auth_mode == "digest" or bool(request.retry) or request.cookies not in (None, False)


def make_extensions(
    request: HTTPRequest, factories: Iterable[ExtensionFactory], logins: CredentialsCache
) -> list[Extension]:
    """Return the extensions of one fetch: authentication first, and the program's hooks last."""
    made: list[Extension] = []
    if request.auth_mode == "digest":
        made.append(DigestExtension(logins))
    if request.cookies is not None and request.cookies is not False:
        made.append(CookieExtension(request.cookies))
    if request.retry:
        made.append(RetryExtension(request.retry))
    made += [extension for make in factories if (extension := make(request)) is not None]
    return made
