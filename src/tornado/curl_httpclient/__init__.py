"""An HTTP client based on libcurl. It needs the package pycurl (the extra ``curl``).

`CurlAsyncHTTPClient` has the interface of `tornado.httpclient.AsyncHTTPClient`. Use it if a program needs
features of libcurl, such as other kinds of proxies, HTTP/2, GSS-API or options that ``prepare_curl_callback``
can set::

    AsyncHTTPClient.configure("tornado.curl_httpclient.CurlAsyncHTTPClient", max_clients=100)

Transfers run on the event loop with libcurl's multi-socket interface, without threads. libcurl keeps
connections open for further requests.
"""

from __future__ import annotations

import re

try:
    import pycurl
except ModuleNotFoundError as _error:
    _message = "tornado.curl_httpclient needs the package pycurl (the extra 'curl')"
    raise ModuleNotFoundError(_message, name=_error.name) from _error

from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado.curl_httpclient._client import CurlAsyncHTTPClient, _CurlStreamingBuffer
from tornado.curl_httpclient._errors import CurlError
from tornado.curl_httpclient._options import curl_log

__all__ = ["CurlAsyncHTTPClient", "CurlError"]

#: Part of Tornado's API and not used here: the client rejects all control characters.
CR_OR_LF_RE = re.compile(b"[\r\n]")

export(globals())
reexport(globals())
