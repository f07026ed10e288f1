"""`ClientHandshake`: the opening handshake of a client, performed as a fetch on a new connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tornado._wire.limits import DEFAULT, Limits
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver
from tornado.simple_httpclient._connection import ClientConnection
from tornado.simple_httpclient._connection_key import ConnectionKey
from tornado.simple_httpclient._connection_routes import Routes
from tornado.simple_httpclient._connector import Connector
from tornado.simple_httpclient._digest import CredentialsCache
from tornado.simple_httpclient._extension import ExtensionFactory
from tornado.simple_httpclient._fetch import Fetch, UpgradeHandler, request_deadlines
from tornado.tcpclient import TCPClient

__all__ = ["MAX_HEAD", "MAX_PAGE", "ClientHandshake"]

#: The maximum size of the head of the response, in bytes.
MAX_HEAD = 64 * 1024
#: The maximum size of the body of a response that rejects the handshake, in bytes.
MAX_PAGE = 1024 * 1024
_LIMITS = Limits(max_head_size=MAX_HEAD, max_request_line=MAX_HEAD, max_header_count=DEFAULT.max_header_count)


class ClientHandshake:
    """The fetch that opens a WebSocket: it connects, sends the request and follows redirects.

    :param request: the request of the handshake with its defaults, as passed to
        `.AsyncHTTPClient.fetch_impl`.
    :param callback: a function called with the response if the handshake fails.
    :param upgrade: the object that takes over the stream if the handshake succeeds.
    :param resolver: the resolver for host names; None for a resolver of the configured class.
    """

    max_body_size: int | None = MAX_PAGE
    max_buffer_size = MAX_PAGE
    continue_timeout = 1.0
    is_closed = False
    extensions: Sequence[ExtensionFactory] = ()

    def __init__(
        self,
        request: HTTPRequest,
        callback: Callable[[HTTPResponse], None],
        upgrade: UpgradeHandler,
        resolver: Resolver | None,
    ) -> None:
        self.loop: Any = IOLoop.current().asyncio_loop
        self.tcp_client = TCPClient(resolver=resolver)
        self.routes = Routes(self.tcp_client, tunnels=True)
        self.deadlines = request_deadlines(self.loop)
        self.logins = CredentialsCache()
        self._connector = Connector(MAX_PAGE)
        self._fetch: Fetch | None = Fetch(self, request, callback, upgrade)

    def start(self) -> None:
        """Start the handshake. Errors are passed to the callback in a later iteration of the event loop."""
        if self._fetch is not None:
            self._fetch.start()

    def cancel(self) -> None:
        """Abort the handshake and close the connection. The callback is not called."""
        if self._fetch is not None:
            self._fetch.cancel()

    def fail(self, error: BaseException) -> None:
        """Abort the handshake and close the connection; the callback is called with `error`."""
        if self._fetch is not None:
            self._fetch.fail(error)

    # -- called by the fetch --

    def take_connection(self, key: ConnectionKey, fresh: bool) -> ClientConnection | None:
        """Return None: each WebSocket uses a new connection."""
        return None

    def keep_connection(self, connection: ClientConnection) -> None:
        """Close a connection that is unused after a redirect."""
        connection.close()

    async def open_connection(self, key: ConnectionKey, timeout: float | None) -> ClientConnection:
        """Open a connection; see `Connector.connect`."""
        return ClientConnection(await self._connector.connect(key, timeout), key, _LIMITS)

    def fetch_ended(self, fetch: Fetch) -> None:
        """Release the resources of the handshake after its end."""
        self._fetch = None
        self.deadlines.clear()
        self.tcp_client.close()
