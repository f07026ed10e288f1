"""`ConnectionKey`: all properties of a connection. Requests with equal keys may share a connection."""

from __future__ import annotations

import socket
import ssl
from typing import Any, NamedTuple

from tornado.httpclient._proxy import ProxyServer

__all__ = ["ConnectionKey"]


class ConnectionKey(NamedTuple):
    """The properties that determine which connections a request may use.

    :ivar scheme: the scheme of the origin; ``https`` if the connection to the origin uses TLS.
    :ivar host: the origin's host; for requests in absolute-form, which the proxy forwards, the proxy's host.
    :ivar port: the TCP port of `host`.
    :ivar unix_path: the path of a Unix socket, used instead of host and port, or None.
    :ivar tls: the TLS context for the origin, compared by identity; None for a plain connection.
    :ivar family: `socket.AF_INET` if IPv6 is not allowed, else `socket.AF_UNSPEC`.
    :ivar source_ip: the local address to connect from, or None.
    :ivar proxy: the proxy with its credentials, or None.
    :ivar is_tunnelled: whether the proxy opens a tunnel to `host`; otherwise `host` is the proxy itself, or
        requests do not use a proxy.
    :ivar tcp_client: the `.TCPClient` that connects, compared by identity.
    :ivar resolver: the resolver of `tcp_client`, compared by identity.
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
