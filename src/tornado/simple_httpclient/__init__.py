"""The HTTP client that needs nothing but the standard library.

`SimpleAsyncHTTPClient` is the default implementation of `tornado.httpclient.AsyncHTTPClient`. It speaks
HTTP/1.1 over plain and TLS connections, one request a connection, and knows basic authentication. It uses no
proxy.
"""

from __future__ import annotations

from tornado._export import export
from tornado._reexports import reexport
from tornado.httpclient import HTTPError
from tornado.simple_httpclient._client import SimpleAsyncHTTPClient
from tornado.simple_httpclient._errors import HTTPProxyError, HTTPStreamClosedError, HTTPTimeoutError
from tornado.simple_httpclient._http_connection import _HTTPConnection

__all__ = ["HTTPProxyError", "HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]

export(globals(), module="tornado.simple_httpclient")
_HTTPConnection.__module__ = "tornado.simple_httpclient"
reexport(globals())
