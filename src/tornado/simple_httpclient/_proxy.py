"""Through an HTTP proxy to a server: the method CONNECT (RFC 9110 section 9.3.6).

The proxy is asked for a connection to the server; once it says yes, the bytes on the stream are the server's,
and TLS is between us and the server: the proxy sees the host and the port, nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import ssl
from typing import Any

from tornado import httputil
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.netutil._place import address_name, placed
from tornado.simple_httpclient._errors import HTTPProxyError, HTTPStreamClosedError, HTTPTimeoutError
from tornado.tcpclient import TCPClient

#: Bytes of the head of a proxy's answer.
_MAX_HEAD = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy as a request names it.

    :ivar authorization: the value of its ``Proxy-Authorization`` field, or None.
    :ivar scheme: how it is spoken to: ``http``, ``https`` or ``socks5``.
    """

    host: str
    port: int
    authorization: str | None = dataclasses.field(default=None, repr=False)
    scheme: str = "http"

    @property
    def forwards(self) -> bool:
        """Whether it takes requests in absolute-form and sends them on itself."""
        return self.scheme in ("http", "https")

    def __str__(self) -> str:
        return address_name((self.host, self.port))

    async def connect(
        self,
        tcp_client: TCPClient,
        host: str,
        port: int,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> IOStream:
        """Connect to a server through the proxy.

        :param tcp_client: for the connection to the proxy.
        :param ssl_options: speak TLS with the server.
        :param timeout: seconds for everything together.
        :param options: further ones of `.TCPClient.connect`.
        :raises HTTPProxyError: if the proxy refuses.
        :raises HTTPTimeoutError: if it takes too long to answer.
        :raises HTTPStreamClosedError: if it closes the connection instead.
        :raises OSError: as `.TCPClient.connect` does, for the proxy and for the server.
        """
        loop = IOLoop.current()
        deadline = None if timeout is None else loop.time() + timeout
        stream = await tcp_client.connect(self.host, self.port, timeout=timeout, **options)
        try:
            async with asyncio.timeout(None if deadline is None else deadline - loop.time()) as limit:
                await self._open_tunnel(stream, host, port)
        except TimeoutError as error:
            stream.close()
            if not limit.expired():
                raise  # ETIMEDOUT, from the system
            target = address_name((host, port))
            message = f"Timeout while the proxy {self} was to connect to {target}"
            raise HTTPTimeoutError(message) from error
        except BaseException:
            stream.close()
            raise
        if ssl_options is None:
            return stream
        return await tcp_client._start_tls(
            stream, ssl_options, host, f"{address_name((host, port))} through the proxy {self}", deadline
        )

    async def _open_tunnel(self, stream: IOStream, host: str, port: int) -> None:
        """Ask, and read the answer; what follows that is left in the stream's buffer."""
        target = address_name((host, port))
        headers = httputil.HTTPHeaders({"Host": target})
        if self.authorization is not None:
            headers["Proxy-Authorization"] = self.authorization
        params = HTTP1ConnectionParameters(max_header_size=_MAX_HEAD)
        exchange = HTTP1Connection(stream, True, params, f"the proxy {self}")
        _ = exchange.write_headers(httputil.RequestStartLine("CONNECT", target, ""), headers)
        exchange.finish()
        answer = _Answer(exchange)
        await exchange.read_response(answer)
        if answer.line is None:
            error = stream.error
            if isinstance(error, OSError):
                raise placed(error, f"waiting for the answer of the proxy {self}")
            raise HTTPStreamClosedError(
                f"the proxy {self} closed the connection before it answered the request for {target}, "
                f"or its answer was no HTTP"
            )
        if not 200 <= answer.line.code < 300:
            raise HTTPProxyError(
                answer.line.code,
                f"the proxy {self} does not connect to {target}: {answer.line.code} {answer.line.reason}",
            )


class _Answer(httputil.HTTPMessageDelegate):
    """Takes the head of a proxy's answer. What follows is the server's, or a page that nobody reads."""

    def __init__(self, exchange: HTTP1Connection) -> None:
        self._exchange = exchange
        self.line: httputil.ResponseStartLine | None = None

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> None:
        assert isinstance(start_line, httputil.ResponseStartLine)
        if start_line.code >= 200:
            self.line = start_line
            self._exchange.detach()


def proxy_of(request: HTTPRequest) -> Proxy | None:
    """The proxy that a request is to go through; None for none.

    :raises ValueError: if its host comes without a port or the other way round, or for an authentication
        other than "basic".
    """
    if not request.proxy_host and not request.proxy_port:
        return None
    if not request.proxy_host or not request.proxy_port:
        raise ValueError("proxy_host and proxy_port go together")
    if request.proxy_auth_mode not in (None, "basic"):
        raise ValueError(
            f"proxy_auth_mode {request.proxy_auth_mode!r} is not supported by this client, only 'basic' is"
        )
    authorization = None
    if request.proxy_username:
        pair = httputil.encode_username_password(request.proxy_username, request.proxy_password or "")
        authorization = "Basic " + base64.b64encode(pair).decode("ascii")
    return Proxy(request.proxy_host, request.proxy_port, authorization)
