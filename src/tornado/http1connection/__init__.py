"""HTTP/1.x connections, for servers and clients.

Most programs use this module only through ``request.connection``. `HTTP1ServerConnection` reads the requests
of one client connection, one after the other. `HTTP1Connection` is one exchange, a request and its response,
on the server or on the client side. ``tornado._wire.h1`` implements the message syntax; this package adds
streams, timeouts, back-pressure and delegates (`tornado.httputil.HTTPServerConnectionDelegate`,
`tornado.httputil.HTTPMessageDelegate`).

A server's exchange ends when the request has been read completely and the response has been finished. Writes
to the exchange fail after that, so a program that keeps a reference to it cannot write into the next response
of the connection.
"""

from __future__ import annotations

from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado.http1connection._exchange import HTTP1Connection, is_transfer_encoding_chunked
from tornado.http1connection._parameters import (
    CR_OR_LF_RE,
    DIGITS,
    HEXDIGITS,
    HTTP1ConnectionParameters,
    parse_hex_int,
    parse_int,
)
from tornado.http1connection._server_connection import HTTP1ServerConnection
from tornado.log import app_log, gen_log

#: The maximum number of interim (1xx) responses that a client accepts before the final response.
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
