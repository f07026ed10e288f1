"""The response header field X-Request-Id."""

from __future__ import annotations

from typing import Any

from tornado.httputil import HTTPHeaders

__all__ = ["RequestIdField"]


class RequestIdField:
    """Adds X-Request-Id to the initial header fields of each response, in addition to the security headers.

    It has the interface of `SecurityHeaders`, so that responses need no further step.

    :param security: the `SecurityHeaders` of the application, or None.
    :ivar has_nonce: whether a policy of the security headers contains a nonce.
    """

    def __init__(self, security: Any) -> None:
        self._inner = security
        self.has_nonce: bool = security is not None and security.has_nonce

    def block(self, request: Any) -> bytes:
        """Return the serialised fields, for a response whose headers have not been accessed."""
        field = b"X-Request-Id: %b\r\n" % request.id.encode("latin-1", "replace")
        return field if self._inner is None else field + self._inner.block(request)

    def headers(self, base: HTTPHeaders, handler: Any) -> HTTPHeaders:
        """Return the initial headers of a handler: those in `base`, and those of this object."""
        headers = base.copy() if self._inner is None else self._inner.headers(base, handler)
        headers["X-Request-Id"] = handler.request.id
        return headers

    def add_nonce(self, headers: HTTPHeaders, nonce: str) -> None:
        """Add a nonce to the policy."""
        self._inner.add_nonce(headers, nonce)
