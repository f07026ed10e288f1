"""An HTTP client that requires only the standard library.

`SimpleAsyncHTTPClient` is the default implementation of `tornado.httpclient.AsyncHTTPClient`. It uses
HTTP/1.1 over plain and TLS connections, which it keeps open for further requests. It supports basic and
digest authentication, and HTTP and SOCKS5 proxies.
"""

from __future__ import annotations

from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado.httpclient import HTTPError
from tornado.simple_httpclient._client import SimpleAsyncHTTPClient
from tornado.simple_httpclient._errors import HTTPProxyError, HTTPStreamClosedError, HTTPTimeoutError
from tornado.simple_httpclient._http_connection_compat import _HTTPConnection

__all__ = ["HTTPProxyError", "HTTPStreamClosedError", "HTTPTimeoutError", "SimpleAsyncHTTPClient"]

export(globals(), module="tornado.simple_httpclient")
_HTTPConnection.__module__ = "tornado.simple_httpclient"
reexport(globals())
