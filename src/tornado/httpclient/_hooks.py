"""Client hooks: functions of the program that are called for every request and every response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tornado import httputil
from tornado.httpclient._request import HTTPRequest
from tornado.httpclient._response import HTTPResponse
from tornado.log import app_log

__all__ = ["AfterResponse", "BeforeRequest", "call_after_response"]

#: The type of the client's argument ``before_request``. It may return an awaitable.
BeforeRequest: TypeAlias = Callable[[HTTPRequest, httputil.HTTPHeaders], object]
#: The type of the client's argument ``after_response``.
AfterResponse: TypeAlias = Callable[[HTTPResponse], object]


def call_after_response(
    hook: AfterResponse, callback: Callable[[HTTPResponse], None], response: HTTPResponse
) -> None:
    """Call the ``after_response`` hook, log its exception if there is one, then call the fetch's callback."""
    try:
        hook(response)
    except Exception:
        app_log.exception("Uncaught exception in after_response")
    callback(response)
