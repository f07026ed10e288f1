"""`RetryExtension`: a fetch extension that retries requests according to a `.RetryPolicy`."""

from __future__ import annotations

import asyncio
import random
import ssl
import time

from tornado import httputil
from tornado._wire.errors import IncompleteMessage
from tornado._wire.h1 import ResponseHead
from tornado.httpclient import HTTPRequest, RetryPolicy
from tornado.simple_httpclient._errors import HTTPStreamClosedError, HTTPTimeoutError
from tornado.simple_httpclient._extension import FollowUp

__all__ = ["RetryExtension"]


class RetryExtension:
    """A fetch extension that sends failed requests again.

    :param policy: determines which requests to retry, and after what delay.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._attempts = 0
        self._begun = asyncio.get_running_loop().time()
        self._delivering = False

    def prepare(self, request: HTTPRequest, target: str, headers: httputil.HTTPHeaders) -> None:
        """Do nothing: retries do not change the request."""

    def responded(self, request: HTTPRequest, head: ResponseHead) -> FollowUp | None:
        """Repeat the request after a status code that the policy retries."""
        follow_up = self._retry(request, head.code, head.headers.get("Retry-After"))
        self._delivering = follow_up is None
        return follow_up

    def failed(self, request: HTTPRequest, error: BaseException) -> FollowUp | None:
        """Repeat the request after a connection failure."""
        if not _is_connection_failure(error):
            return None
        if self._delivering and request.streaming_callback is not None:
            return None  # a part of the body may have been delivered to the program
        return self._retry(request, None, None)

    def _retry(self, request: HTTPRequest, status: int | None, retry_after: str | None) -> FollowUp | None:
        self._attempts += 1
        source = request.body_source
        if source is not None and not source.available:
            return None
        delay = self._policy.delay(
            self._attempts,
            request.method,
            random=random.random(),
            elapsed=asyncio.get_running_loop().time() - self._begun,
            now=time.time(),
            status=status,
            retry_after=retry_after,
        )
        return None if delay is None else FollowUp(request, delay)


def _is_connection_failure(error: BaseException) -> bool:
    """Whether the error is a connection failure, and not caused by the program or a malformed response."""
    if isinstance(error, HTTPTimeoutError):
        return isinstance(error.__cause__, TimeoutError)  # set only if the timeout expired while connecting
    if isinstance(error, HTTPStreamClosedError):
        return isinstance(error.__cause__, (type(None), OSError, IncompleteMessage))
    return isinstance(error, OSError) and not isinstance(error, ssl.CertificateError)
