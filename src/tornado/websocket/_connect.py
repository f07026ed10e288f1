"""`websocket_connect`: open a WebSocket as a client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from tornado._tornado4.deprecation import ignored_loop
from tornado.concurrent import Future
from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.netutil import Resolver
from tornado.websocket._client import ConnectFuture, WebSocketClientConnection
from tornado.websocket._message_queue import Message
from tornado.websocket._parameters import MAX_MESSAGE_SIZE

if TYPE_CHECKING:
    from tornado.httpclient._options import WebSocketHandshakeOptions


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
    **options: Unpack[WebSocketHandshakeOptions],
) -> ConnectFuture:
    """Open a WebSocket to a server.

    Use it as an asynchronous context manager, which closes the connection at the end of the block::

        async with websocket_connect("wss://example.com/prices") as conn:
            await conn.write_message("subscribe EUR")
            async for message in conn:
                print(message)

    As in Tornado, ``conn = await websocket_connect(...)`` opens the connection and ``await
    conn.read_message()`` returns the next message, or None after the last one. Messages can also be passed to
    a callback::

        conn = await websocket_connect(url, on_message_callback=on_message)

    :param url: a URL with the scheme ``ws`` or ``wss``, or an `.HTTPRequest` with such a URL. The other
        options of the HTTPRequest apply to the handshake: ``headers``, authentication, ``validate_cert``,
        ``ca_certs``, ``client_cert``, ``ssl_options``, ``request_timeout`` (in seconds until the WebSocket is
        open, by default 20), ``follow_redirects`` (by default false), and ``proxy_host`` with ``proxy_port``,
        ``proxy_username`` and ``proxy_password`` for a proxy that supports CONNECT.
    :param callback: a function called with the Future when it is done.
    :param connect_timeout: the timeout for name resolution, connection, proxy and TLS handshake, in seconds
        (by default 20; 0 for no timeout). If `url` is an HTTPRequest, set the timeout there.
    :param on_message_callback: a function called with each message, and with None when the connection is
        closed. It is first called after the code that awaits the connection has resumed. It may be ``async``:
        no more data is read until it has finished.
    :param compression_options: a dictionary, possibly empty, to offer compression (permessage-deflate,
        RFC 7692). The keys of the dictionary, which determine the offer, are described at
        `.WebSocketHandler.get_compression_options`. None to offer no compression.
    :param ping_interval: the interval between pings, in seconds; None for no pings. Pings detect a server
        that has disappeared without closing the connection.
    :param ping_timeout: the timeout for the reply to a ping, in seconds; None for `ping_interval`.
    :param max_message_size: the maximum size of a message after decompression, in bytes. A longer message
        closes the connection (1009).
    :param subprotocols: the names of the subprotocols to offer, in the order of preference. The server's
        choice is `.WebSocketClientConnection.selected_subprotocol`.
    :param resolver: the `.Resolver` for the host name.
    :param io_loop: ignored (deprecated; an argument of Tornado 4).
    :param options: further arguments of `.HTTPRequest`, if `url` is a string.
    :returns: a Future of a `WebSocketClientConnection`. Cancel it to abort the handshake and close the
        socket.
    :raises ValueError: if the scheme of the URL, a subprotocol or a compression option is invalid, or if
        `connect_timeout` or `options` are passed together with an HTTPRequest.
    :raises WebSocketError: (in the Future) if the response of the server is invalid. The message names the
        header field.
    :raises HTTPClientError: (in the Future) if the server responds with an error or a redirect. The attribute
        ``response`` of the exception is that response. The subclasses for timeouts (`.HTTPTimeoutError`),
        connections closed before the response (`.HTTPStreamClosedError`) and errors of proxies
        (`.HTTPProxyError`) have the code 599; their messages name the phase.
    :raises OSError: (in the Future) if the connection fails.
    """
    if io_loop is not None:
        ignored_loop("websocket_connect")
    if isinstance(url, HTTPRequest):
        given: set[str] = {*options, *(() if connect_timeout is None else ("connect_timeout",))}
        if given:
            raise ValueError(
                f"websocket_connect() accepts {', '.join(sorted(given))} only with a URL string: "
                "set these on the HTTPRequest"
            )
        request = url
    else:
        request = HTTPRequest(url, connect_timeout=connect_timeout, **options)
    settings = (compression_options, ping_interval, ping_timeout, max_message_size, subprotocols)
    connection = WebSocketClientConnection(request, on_message_callback, *settings, resolver)
    future = connection.connect_future
    if callback is not None:
        IOLoop.current().add_future(future, callback)
    return future


websocket_connect.__module__ = "tornado.websocket"  # its public module

__all__ = ["websocket_connect"]
