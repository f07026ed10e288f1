"""`ConnectionKey`: everything that shapes a connection. Requests with equal keys may share one."""

from __future__ import annotations

import socket
import ssl
from typing import Any, NamedTuple

from tornado.httpclient._proxy import ProxyServer

__all__ = ["ConnectionKey"]


class ConnectionKey(NamedTuple):
    """What decides which connection a request may use.

    :ivar scheme: ``https`` if TLS is spoken with the origin.
    :ivar host: the origin's host; the proxy's for requests in absolute-form, which leave it to the proxy
        where to go.
    :ivar port: the TCP port of `host`.
    :ivar unix_path: the path of a Unix socket, in place of host and port.
    :ivar tls: the TLS context for the origin, compared by identity; None for a plain connection.
    :ivar family: `socket.AF_INET` if IPv6 is not allowed, else `socket.AF_UNSPEC`.
    :ivar source_ip: the local address to connect from, or None.
    :ivar proxy: the proxy with its credentials, or None.
    :ivar is_tunnelled: whether the proxy connects to `host`; otherwise it is `host`, and reads the requests.
    :ivar tcp_client: the `.TCPClient` that connects, compared by identity.
    :ivar resolver: its resolver, compared by identity.
    """

    scheme: str
    host: str
    port: int
    unix_path: str | None
    tls: ssl.SSLContext | None
    family: socket.AddressFamily
    source_ip: str | None
    proxy: ProxyServer | None
    is_tunnelled: bool
    tcp_client: Any
    resolver: Any
