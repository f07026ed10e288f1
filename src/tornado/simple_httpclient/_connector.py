"""`Connector`: from a key to a connected stream, by TCP, a Unix socket or a proxy, with or without TLS."""

from __future__ import annotations

from typing import Any

from tornado.iostream import IOStream
from tornado.simple_httpclient._key import ConnectionKey

__all__ = ["Connector"]


class Connector:
    """Makes connections.

    :param max_buffer_size: bytes that a stream may buffer for reading.
    """

    def __init__(self, max_buffer_size: int) -> None:
        self.max_buffer_size = max_buffer_size

    async def connect(self, key: ConnectionKey, timeout: float | None = None) -> IOStream:
        """Connect.

        :param key: where to, and how.
        :param timeout: seconds for everything together; None for no limit.
        :returns: a stream in pull mode; what is sent on it reaches the origin, or the proxy that forwards.
        :raises TimeoutError: when the time is up.
        :raises OSError: if the connection cannot be made; see `.TCPClient.connect`.
        :raises HTTPProxyError: if the proxy refuses.
        """
        options: dict[str, Any] = {"timeout": timeout} if timeout is not None else {}
        if key.source_ip is not None:
            options["source_ip"] = key.source_ip
        if key.proxy is not None and key.tls is not None:
            return await key.proxy.connect(
                key.tcp_client,
                key.host,
                key.port,
                af=key.family,
                ssl_options=key.tls,
                max_buffer_size=self.max_buffer_size,
                **options,
            )
        stream: IOStream = await key.tcp_client.connect(
            key.host,
            key.port,
            af=key.family,
            ssl_options=key.tls,
            max_buffer_size=self.max_buffer_size,
            **options,
        )
        return stream
