"""`websocket_connect`: the manual of how a client's WebSocket is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from tornado._tornado4.deprecation import ignored_loop
from tornado.concurrent import Future
from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver
from tornado.websocket._client import Connecting, WebSocketClientConnection
from tornado.websocket._message_queue import Message
from tornado.websocket._parameters import MAX_MESSAGE_SIZE

if TYPE_CHECKING:
    from tornado.httpclient._options import HandshakeOptions


def websocket_connect(
    url: str | HTTPRequest,
    callback: Callable[[Future[WebSocketClientConnection]], Any] | None = None,
    connect_timeout: float | None = None,
    on_message_callback: Callable[[Message | None], Any] | None = None,
    compression_options: dict[str, Any] | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int = MAX_MESSAGE_SIZE,
    subprotocols: Sequence[str] | None = None,
    resolver: Resolver | None = None,
    *,
    io_loop: IOLoop | None = None,
    **options: Unpack[HandshakeOptions],
) -> Connecting:
    """Open a WebSocket to a server.

    Messages are read in a loop, and the connection is closed at the end of the block::

        async with websocket_connect("wss://example.com/prices") as conn:
            await conn.write_message("subscribe EUR")
            async for message in conn:
                print(message)

    or, as in Tornado, by ``conn = await websocket_connect(...)`` and ``await conn.read_message()``, which
    gives None at the end; or they go to a callback::

        conn = await websocket_connect(url, on_message_callback=on_message)

    :param url: ``ws://…`` or ``wss://…``, or an `.HTTPRequest` with such a URL. What an HTTPRequest can say
        besides holds for the handshake: ``headers``, authentication, ``validate_cert``, ``ca_certs``,
        ``client_cert``, ``ssl_options``, ``request_timeout`` (seconds until the WebSocket is open, 20 by
        default), ``follow_redirects`` (false by default), and ``proxy_host`` with ``proxy_port``,
        ``proxy_username`` and ``proxy_password`` for a proxy that knows CONNECT.
    :param callback: called with the Future when it is done.
    :param connect_timeout: seconds for look-up, connection, proxy and TLS handshake (20 by default; 0: no
        limit). With an HTTPRequest, set it there.
    :param on_message_callback: called with each message, and with None when the connection is closed; no
        message comes before the code that awaits the connection has gone on. It may be ``async``: nothing
        more is read until it is done.
    :param compression_options: a dictionary to offer compression (permessage-deflate, RFC 7692), which may be
        empty: see `.WebSocketHandler.get_compression_options`, whose keys are meant as this side's wishes.
    :param ping_interval: seconds between pings, by which a server that is gone is noticed; None for none.
    :param ping_timeout: seconds that the answer to a ping may take; None for `ping_interval`.
    :param max_message_size: bytes that a message may have once it is decompressed; a longer one closes the
        connection (1009).
    :param subprotocols: names to offer, in the order of preference; the server's choice is
        `.WebSocketClientConnection.selected_subprotocol`.
    :param resolver: the `.Resolver` to look the host up with.
    :param io_loop: (deprecated, the style of Tornado 4) ignored.
    :param options: with a URL that is text: further arguments of `.HTTPRequest`.
    :returns: a Future of a `WebSocketClientConnection`. Cancelling it gives up and closes the socket.
    :raises ValueError: for a URL with another scheme, subprotocols that are no tokens, compression options
        out of range; for `connect_timeout` or `options` together with an HTTPRequest.
    :raises WebSocketError: (in the Future) if the server's answer is not acceptable; the message names the
        field at fault.
    :raises HTTPClientError: (in the Future) if the server answers with an error or a redirect; ``response``
        is its answer. Time-outs (`.HTTPTimeoutError`), servers that close before they have answered
        (`.HTTPStreamClosedError`) and proxies that refuse (`.HTTPProxyError`) are of this class, with code
        599; messages name the phase.
    :raises OSError: (in the Future) if the connection cannot be made, or breaks.
    """
    if io_loop is not None:
        ignored_loop("websocket_connect")
    if isinstance(url, HTTPRequest):
        given: set[str] = {*options, *(() if connect_timeout is None else ("connect_timeout",))}
        if given:
            raise ValueError(
                f"websocket_connect() takes {', '.join(sorted(given))} together with a URL only: "
                "set them on the HTTPRequest"
            )
        request = url
    else:
        request = HTTPRequest(url, connect_timeout=connect_timeout, **options)
    wishes = (compression_options, ping_interval, ping_timeout, max_message_size, subprotocols)
    connection = WebSocketClientConnection(request, on_message_callback, *wishes, resolver)
    future = connection.connect_future
    if callback is not None:
        IOLoop.current().add_future(future, callback)
    return future


websocket_connect.__module__ = "tornado.websocket"  # its public address

__all__ = ["websocket_connect"]
