"""HTTP clients: the interface, requests, responses and errors.

`AsyncHTTPClient` fetches without blocking::

    async def show():
        response = await AsyncHTTPClient().fetch("https://www.example.com/")
        print(response.body)

`HTTPClient` blocks until the response is complete; it is for scripts and interactive use. Both take a URL or
an `HTTPRequest`, return an `HTTPResponse` and raise `HTTPClientError`, which is also available as
`HTTPError`.

Requests are sent by an implementation class, which is `tornado.simple_httpclient.SimpleAsyncHTTPClient`
unless another one is configured::

    AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient", max_clients=100)

``python -m tornado.httpclient URL ...`` fetches from the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado import gen
from tornado._implicit_reexports import reexported
from tornado._public_module_names import export
from tornado.httpclient._body import BodyNotReplayableError
from tornado.httpclient._client import AsyncHTTPClient, HTTPClient
from tornado.httpclient._command import main
from tornado.httpclient._progress import TransferProgress
from tornado.httpclient._request import HTTPRequest, _RequestProxy
from tornado.httpclient._response import HTTPClientError, HTTPError, HTTPResponse
from tornado.httpclient._retry import RetryPolicy
from tornado.httpclient._stream import ResponseStream
from tornado.ioloop import IOLoop
from tornado.util import import_object

if TYPE_CHECKING:
    from tornado.httpclient._options import FetchOptions, HTTPRequestOptions, WebSocketHandshakeOptions

__all__ = [
    "AsyncHTTPClient",
    "BodyNotReplayableError",
    "FetchOptions",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPRequestOptions",
    "HTTPResponse",
    "ResponseStream",
    "RetryPolicy",
    "TransferProgress",
    "WebSocketHandshakeOptions",
    "main",
]

_LATE = ("FetchOptions", "HTTPRequestOptions", "WebSocketHandshakeOptions")

if not TYPE_CHECKING:  # a type checker would accept every name as an attribute of this module

    def __getattr__(name: str) -> Any:
        if name in _LATE:
            return import_object(f"tornado.httpclient._options.{name}")
        return reexported(__name__, name)


export(globals(), module="tornado.httpclient", late=_LATE)
_RequestProxy.__module__ = "tornado.httpclient"
