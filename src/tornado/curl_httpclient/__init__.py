"""An HTTP client on libcurl, by the package pycurl: ``pip install 'tornado[curl]'``.

`CurlAsyncHTTPClient` has the interface of `tornado.httpclient.AsyncHTTPClient`. It is the choice where
libcurl's own features are needed: proxies of every kind, HTTP/2, GSS-API and other options that
``prepare_curl_callback`` can set::

    AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient", max_clients=100)

Transfers run on the event loop by libcurl's multi-socket interface, without threads. libcurl keeps
connections open for further requests.
"""

from __future__ import annotations

import re

import pycurl

from tornado._export import export
from tornado._reexports import reexport
from tornado.curl_httpclient._client import CurlAsyncHTTPClient
from tornado.curl_httpclient._errors import CurlError
from tornado.curl_httpclient._options import curl_log
from tornado.curl_httpclient._streaming import StreamingBuffer as _CurlStreamingBuffer

__all__ = ["CurlAsyncHTTPClient", "CurlError"]

#: Part of Tornado's API; the client itself refuses all control characters.
CR_OR_LF_RE = re.compile(b"[\r\n]")

export(globals())
reexport(globals())
