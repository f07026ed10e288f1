"""HTTP/1.x connections, for servers and clients.

Most programs meet this module only as ``request.connection``. `HTTP1ServerConnection` reads the requests of
one client connection, one after the other; `HTTP1Connection` is one exchange, a request and its response, on
either side. The syntax of messages is in ``tornado._wire.h1``; here they meet streams, time-outs,
back-pressure and delegates (`tornado.httputil.HTTPServerConnectionDelegate`,
`tornado.httputil.HTTPMessageDelegate`).

A server's exchange is over when the request has been read whole and the response has been finished. A program
that kept the exchange beyond that cannot write into the next response of the connection: its writes fail.
"""

from __future__ import annotations

from tornado._export import export
from tornado._reexports import reexport
from tornado.http1connection._exchange import HTTP1Connection, is_transfer_encoding_chunked
from tornado.http1connection._parameters import (
    CR_OR_LF_RE,
    DIGITS,
    HEXDIGITS,
    HTTP1ConnectionParameters,
    parse_hex_int,
    parse_int,
)
from tornado.http1connection._server import HTTP1ServerConnection
from tornado.log import app_log, gen_log

#: Interim (1xx) responses that a client accepts before the final one.
_MAX_1XX_RESPONSES = 10

__all__ = [
    "CR_OR_LF_RE",
    "DIGITS",
    "HEXDIGITS",
    "HTTP1Connection",
    "HTTP1ConnectionParameters",
    "HTTP1ServerConnection",
    "is_transfer_encoding_chunked",
    "parse_hex_int",
    "parse_int",
]

export(globals(), module="tornado.http1connection")
reexport(globals())
