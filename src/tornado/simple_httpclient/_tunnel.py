"""Tunnels through a proxy: the CONNECT method (RFC 9110 section 9.3.6) and SOCKS5.

The client asks the proxy to connect to the server. After the proxy has accepted, it relays all bytes. A TLS
connection is made between this client and the server, so the proxy sees only the host and the port.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from tornado._wire import h1
from tornado._wire.errors import HTTPInputError
from tornado._wire.limits import DEFAULT
from tornado.httpclient._proxy import ProxyServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil._error_context import add_error_context, format_address
from tornado.simple_httpclient._errors import HTTPProxyError, HTTPStreamClosedError

__all__ = ["open_socks", "open_tunnel"]

#: Maximum size of the head of a proxy's response in bytes.
_MAX_HEAD = 64 * 1024
_HEAD_END = rb"\n\r?\n"


async def open_tunnel(stream: IOStream, proxy: ProxyServer, host: str, port: int) -> None:
    """Open a tunnel to a server through an HTTP proxy.

    Bytes that arrive after the proxy's response stay in the stream's buffer.

    :param stream: a connection to the proxy.
    :param proxy: the proxy, for its credentials and for messages.
    :param host: the server's host name or address.
    :param port: the server's port.
    :raises HTTPProxyError: if the proxy refuses to connect.
    :raises HTTPStreamClosedError: if the proxy closes the connection or sends a malformed response.
    :raises OSError: if the connection is reset.
    """
    target = format_address((host, port))
    credentials = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization is not None else ""
    head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n"
    try:
        # The write is not awaited: a failure closes the stream, and the read below raises the error.
        _ = stream.write(head.encode("latin-1"))
        response = await _read_response_head(stream)
    except StreamClosedError as error:
        if isinstance(error.real_error, OSError):
            raise add_error_context(
                error.real_error, f"waiting for the response from the proxy {proxy}"
            ) from None
        raise _closed(proxy, target) from error
    except HTTPInputError as error:
        raise _closed(proxy, target) from error
    if not 200 <= response.code < 300:
        raise HTTPProxyError(
            response.code, f"the proxy {proxy} did not connect to {target}: {response.code} {response.reason}"
        )


async def _read_response_head(stream: IOStream) -> h1.ResponseHead:
    """Read the proxy's responses, skip those with a 1xx status, and return the head of the final one."""
    for _ in range(DEFAULT.max_1xx + 1):
        block = await stream.read_until_regex(_HEAD_END, max_bytes=_MAX_HEAD)
        response = h1.parse_response_head(block, DEFAULT, "CONNECT")
        if response.code >= 200:
            return response
    raise HTTPInputError("too many 1xx responses")


def _closed(proxy: ProxyServer, target: str) -> HTTPStreamClosedError:
    return HTTPStreamClosedError(
        f"the proxy {proxy} closed the connection before it connected to {target}, or its response was "
        "malformed"
    )


async def open_socks(proxy: ProxyServer, host: str, port: int) -> socket.socket:
    """Connect to a server through a SOCKS5 proxy, which resolves the host name (RFC 1928).

    :param proxy: the proxy.
    :param host: the server's host name or address.
    :param port: the server's port.
    :raises RuntimeError: if python-socks is not installed.
    :raises HTTPProxyError: if the proxy refuses to connect.
    :raises OSError: if the connection to the proxy fails.
    """
    try:
        import python_socks
        import python_socks.async_.asyncio
    except ImportError:
        raise RuntimeError("a socks5 proxy needs the package python-socks (the extra 'socks')") from None
    socks: Any = python_socks.async_.asyncio.Proxy(
        python_socks.ProxyType.SOCKS5, proxy.host, proxy.port, proxy.username, proxy.password, rdns=True
    )
    target = format_address((host, port))
    try:
        sock: socket.socket = await socks.connect(host, port, timeout=_NO_LIMIT)
    except python_socks.ProxyError as error:
        message = f"the proxy {proxy} did not connect to {target}: {error}"
        raise HTTPProxyError(getattr(error, "error_code", None) or 0, message) from error
    except python_socks.ProxyConnectionError as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, OSError):
            raise add_error_context(cause, f"connecting to the proxy {proxy}") from None
        raise
    except asyncio.IncompleteReadError as error:
        raise _closed(proxy, target) from error
    return sock


#: The timeout that is passed to python-socks, in seconds. It replaces the default of 60, because the caller
#: limits the time.
_NO_LIMIT = 1e9
