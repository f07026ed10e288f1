"""`CurlClient`: the part of the client that its fetches use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tornado.httpclient import HTTPRequest, RetryPolicy
from tornado.httpclient._hooks import BeforeRequest
from tornado.ioloop import IOLoop

if TYPE_CHECKING:
    from http.cookiejar import CookieJar


class CurlClient(Protocol):
    """The settings of a client, and the functions that depend on them.

    :ivar io_loop: the loop in which the callbacks of the program run.
    :ivar max_body_size: the default maximum size of a body in bytes, after decompression.
    :ivar defaults: the default values of the arguments of `.HTTPRequest`.
    :ivar before_request: called before each hop, or None.
    :ivar retry: the policy for retrying failed requests, or None.
    """

    io_loop: IOLoop
    max_body_size: int
    defaults: dict[str, Any]
    before_request: BeforeRequest | None
    retry: RetryPolicy | None

    def jar_of(self, request: HTTPRequest) -> CookieJar | None:
        """Return the cookie jar for a request, or None if it does not use cookies."""

    def limit_of(self, request: HTTPRequest) -> int | None:
        """Return the maximum size of the response's body in bytes, or None for no limit."""

    def handle_callback_exception(self, callback: Any) -> None:
        """Log the current exception, which a callback of the program raised."""


__all__ = ["CurlClient"]
