"""`Connector`: opens connections over TCP, to a Unix socket or through a proxy, with or without TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from typing import Any

from tornado import netutil
from tornado.httpclient._proxy import ProxyServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.iostream._errors import StreamNotIdleError
from tornado.netutil._error_context import add_error_context, format_address
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._errors import HTTPStreamClosedError
from tornado.simple_httpclient._tunnel import open_socks, open_tunnel

__all__ = ["Connector"]


class Connector:
    """A factory of connected streams.

    :param max_buffer_size: the maximum number of bytes in a stream's read buffer.
    """

    def __init__(self, max_buffer_size: int) -> None:
        self.max_buffer_size = max_buffer_size

    async def connect(self, key: ConnectionKey, timeout: float | None = None) -> IOStream:
        """Open a connection.

        :param key: the properties of the connection.
        :param timeout: the maximum total time in seconds; None for no limit.
        :returns: a stream in pull mode, connected to the origin or to a proxy that forwards requests.
        :raises TimeoutError: when the timeout expires. The message names the phase and the peer.
        :raises OSError: if the connection cannot be made; see `.TCPClient.connect`.
        :raises HTTPProxyError: if the proxy refuses to connect.
        :raises HTTPStreamClosedError: if the proxy closes the connection.

        If the call is cancelled, all sockets that it has opened are closed.
        """
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        if key.unix_path is not None:
            return await self._connect_unix(key, key.unix_path, deadline)
        if key.proxy is None:
            return await self._connect_tcp(key, key.host, key.port, key.tls, timeout)
        if not key.proxy.forwards:
            return await self._connect_socks(key, key.proxy, deadline)
        stream = await self._connect_proxy(key, key.proxy, timeout)
        if not key.is_tunnelled:
            return stream
        peer = f"{format_address((key.host, key.port))} through the proxy {key.proxy}"
        message = (
            f"Timeout while the proxy {key.proxy} was connecting to {format_address((key.host, key.port))}"
        )
        async with _closing_on_error(stream), _time_limit(deadline, message):
            await open_tunnel(stream, key.proxy, key.host, key.port)
        return await _secure(stream, key, peer, deadline)

    async def _connect_proxy(self, key: ConnectionKey, proxy: ProxyServer, timeout: float | None) -> IOStream:
        tls = netutil._client_ssl_defaults if proxy.scheme == "https" else None
        try:
            return await self._connect_tcp(key, proxy.host, proxy.port, tls, timeout)
        except OSError as error:
            fault: BaseException = error
            if isinstance(error, StreamClosedError):
                fault = error.real_error or error
            phase = "connecting to"
            if isinstance(fault, socket.gaierror):
                phase = "looking up"
            elif isinstance(fault, ssl.SSLError):
                phase = "TLS handshake with"
            raise add_error_context(fault, f"{phase} the proxy {proxy}") from fault.__cause__

    async def _connect_tcp(
        self, key: ConnectionKey, host: str, port: int, tls: ssl.SSLContext | None, timeout: float | None
    ) -> IOStream:
        options: dict[str, Any] = {}
        if timeout is not None:
            options["timeout"] = timeout
        if key.source_ip is not None:
            options["source_ip"] = key.source_ip
        try:
            stream: IOStream = await key.tcp_client.connect(
                host, port, af=key.family, ssl_options=tls, max_buffer_size=self.max_buffer_size, **options
            )
        except OSError:
            forget = getattr(key.resolver, "forget", None)
            if forget is not None:
                forget(host)
            raise
        return stream

    async def _connect_unix(self, key: ConnectionKey, path: str, deadline: float | None) -> IOStream:
        if sys.platform == "win32":
            raise OSError(f"cannot connect to {path}: this platform does not support Unix sockets")
        sock = socket.socket(socket.AF_UNIX)
        try:
            stream = IOStream(sock, max_buffer_size=self.max_buffer_size)
        except BaseException:
            sock.close()
            raise
        async with _closing_on_error(stream), _time_limit(deadline, f"Timeout while connecting to {path}"):
            try:
                await stream.connect(path)
            except StreamClosedError as error:
                raise add_error_context(error.real_error or error, f"connecting to {path}") from None
        return await _secure(stream, key, path, deadline)

    async def _connect_socks(
        self, key: ConnectionKey, proxy: ProxyServer, deadline: float | None
    ) -> IOStream:
        peer = format_address((key.host, key.port))
        async with _time_limit(deadline, f"Timeout while the proxy {proxy} was connecting to {peer}"):
            sock = await open_socks(proxy, key.host, key.port)
        try:
            stream = IOStream(sock, max_buffer_size=self.max_buffer_size)
        except BaseException:
            sock.close()
            raise
        return await _secure(stream, key, f"{peer} through the proxy {proxy}", deadline)


async def _secure(stream: IOStream, key: ConnectionKey, peer: str, deadline: float | None) -> IOStream:
    """Perform the TLS handshake with the origin if its scheme is https.

    :param peer: the peer, for messages.
    :returns: the TLS stream, or ``stream`` itself for a plain connection.
    """
    if key.tls is None:
        return stream
    async with _closing_on_error(stream), _time_limit(deadline, f"Timeout during TLS handshake with {peer}"):
        try:
            secure: IOStream = await stream.start_tls(False, ssl_options=key.tls, server_hostname=key.host)
        except StreamNotIdleError as error:
            # These bytes are not protected by TLS and must not be treated as a part of the TLS stream.
            raise HTTPStreamClosedError(
                f"received data before the TLS handshake with {peer}: a proxy's response to CONNECT has no "
                "body, and the proxy must send nothing after it"
            ) from error
        except StreamClosedError as error:
            raise add_error_context(error.real_error or error, f"TLS handshake with {peer}") from None
        except OSError as error:
            raise add_error_context(error, f"TLS handshake with {peer}") from None
    return secure


@contextlib.asynccontextmanager
async def _closing_on_error(stream: IOStream) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        stream.close()
        raise


@contextlib.asynccontextmanager
async def _time_limit(deadline: float | None, message: str) -> AsyncIterator[None]:
    """Raise TimeoutError with `message` if the block is still running at `deadline`."""
    try:
        async with asyncio.timeout_at(deadline) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise  # ETIMEDOUT, from the system
        raise TimeoutError(message) from error
