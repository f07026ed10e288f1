"""`WebSocketClientConnection`: a WebSocket opened by a client.

The handshake is an HTTP request, which `_client_handshake` performs. Then `_protocol` owns the stream.
An open connection needs neither a task nor a timer.
"""

from __future__ import annotations

import asyncio
import copy
import os
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tornado import httputil
from tornado._wire import ws_handshake
from tornado._wire.h1 import ResponseHead
from tornado._wire.ws_errors import HandshakeError
from tornado._wire.ws_state import WebSocketState, WebSocketStep
from tornado.concurrent import Future
from tornado.escape import json_encode, utf8
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httpclient._request import _RequestProxy
from tornado.httputil import ResponseStartLine
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.log import app_log
from tornado.netutil import Resolver
from tornado.simple_httpclient import HTTPStreamClosedError
from tornado.simple_httpclient._errors import NO_RESPONSE
from tornado.simple_httpclient._proxy import proxy_of
from tornado.simple_httpclient._url import parse_url, url_without_secrets
from tornado.websocket._client_handshake import ClientHandshake
from tornado.websocket._errors import clear_frames, closed_error
from tornado.websocket._http_connection_compat import HTTPConnectionCompat
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._message_queue import Message, MessageQueue
from tornado.websocket._parameters import MAX_MESSAGE_SIZE, WebSocketParams, params_of
from tornado.websocket._protocol import WebSocketProtocol13

# See `tornado._wire.state_machine` for the reason for these constants.
_OPEN = WebSocketState.OPEN
_CLOSED = WebSocketState.CLOSED
_CLOSE_SENT = WebSocketStep.CLOSE_SENT
_LOST = WebSocketStep.LOST
_OPENED = WebSocketStep.OPENED

#: The scheme of the handshake request for each scheme of a WebSocket URL. Programs use all four schemes.
_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
#: The defaults of the HTTP client, except that redirects are not followed unless requested.
_DEFAULTS = {**HTTPRequest._DEFAULTS, "follow_redirects": False}
_PROTOCOL = "Sec-WebSocket-Protocol"
_EXTENSIONS = "Sec-WebSocket-Extensions"


class ConnectFuture(asyncio.Future["WebSocketClientConnection"]):
    """A Future of a connection, and an asynchronous context manager that closes it: ``async with
    websocket_connect(url) as conn``.
    """

    async def __aenter__(self) -> WebSocketClientConnection:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        await self.result().__aexit__(kind, error, place)


class WebSocketClientConnection(HTTPConnectionCompat):
    """The client side of a WebSocket, created by `websocket_connect`.

    :param request: an `.HTTPRequest` with the URL of the WebSocket. The request is copied. Some programs pass
        an HTTPRequest that is wrapped in a ``_RequestProxy``.

    The other arguments are those of `websocket_connect`. `connect_future` is a Future of the open
    connection::

        conn = await websocket_connect("wss://example.com/prices")
        await conn.write_message("subscribe EUR")
        async for message in conn:
            print(message)
        print("closed by the server:", conn.close_code, conn.close_reason)

    A subclass may override `on_message`, `on_ping`, `on_pong` and `on_connection_close`. If `on_message` is
    ``async``, the next message is read after it has finished.

    :ivar request: the request as sent, including ``Upgrade`` and ``Sec-WebSocket-…``; the scheme of its URL
        is ``http`` or ``https``.
    :ivar parsed: the parsed URL of `request`.
    :ivar stream: the `.IOStream`; set when the TCP connection is open.
    :ivar headers: the `.HTTPHeaders` of the response to the handshake.
    :ivar close_code: the close code that the server sent (RFC 6455 section 7.4); None if it sent none or
        closed the connection without a close frame.
    :ivar close_reason: the close reason that the server sent; None if it sent none.
    :ivar close_error: the reason why this side has ended the connection: the rule or limit that the server
        violated, or a ping that it did not answer; None otherwise.
    :ivar protocol: the `WebSocketProtocol`; None before the connection is open and after `close`.
    :ivar read_queue: the queue of received messages that have not been read.
    """

    __module__ = "tornado.websocket"  # its public module

    # Class attributes as defaults save memory in the many idle connections.
    protocol: WebSocketProtocol | None = None
    close_code: int | None = None
    close_reason: str | None = None
    close_error: str | None = None
    _subprotocol: str | None = None
    #: The status code of a response that rejects the handshake.
    code: int | None = None
    headers: httputil.HTTPHeaders | None = None
    stream: IOStream
    #: The handshake; None once it has ended.
    _handshake: ClientHandshake | None = None
    #: The Future that `wait_closed` awaits.
    _closed: Future[None] | None = None
    _state = WebSocketState.CONNECTING

    def __init__(
        self,
        request: HTTPRequest,
        on_message_callback: Callable[[Message | None], Any] | None = None,
        compression_options: dict[str, Any] | None = None,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        max_message_size: int = MAX_MESSAGE_SIZE,
        subprotocols: Sequence[str] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        loop = IOLoop.current().asyncio_loop
        self.params: WebSocketParams = params_of(
            ping_interval, ping_timeout, max_message_size, compression_options
        )
        self.read_queue: MessageQueue = MessageQueue(loop)
        self._on_message_callback = on_message_callback
        self._subprotocols = _offered_subprotocols(request, subprotocols)
        self.io_loop: IOLoop = IOLoop.current()
        self.start_time: float = self.io_loop.time()
        self.start_wall_time: float = time.time()
        self.request: HTTPRequest = self._handshake_request(request)
        self.parsed: SplitResult = urlsplit(self.request.url)
        #: None after the handshake succeeds: a Future whose result is this object would form a reference
        #: cycle.
        self._connecting: ConnectFuture | None = ConnectFuture(loop=loop)
        self._connecting.add_done_callback(self._on_connected)
        self._handshake = ClientHandshake(self.request, self._on_http_response, self, resolver)
        self._handshake.start()

    @property
    def connect_future(self) -> ConnectFuture:
        """The Future that `websocket_connect` returns. Cancel it to abort the handshake."""
        future = self._connecting
        if future is None:
            future = ConnectFuture(loop=self.io_loop.asyncio_loop)
            future.set_result(self)
        return future

    @property
    def parsed_hostname(self) -> str:
        """The host of the URL, without the brackets of an IPv6 address."""
        return parse_url(self.request.url).origin.host

    def __del__(self) -> None:
        protocol = getattr(self, "protocol", None)
        if protocol is not None and protocol.stream is not None and not protocol.stream.closed():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        if not hasattr(self, "request"):  # a test double that has not called __init__
            return object.__repr__(self)
        return f"<{type(self).__name__} {self._original_request().url} {self._state.value}>"

    # -- messages --

    def read_message(
        self, callback: Callable[[Future[Message | None]], Any] | None = None
    ) -> Future[Message | None]:
        """Read the next message. Several calls may wait at the same time; they receive messages in order.

        :param callback: a function called with the Future when it is done.
        :returns: a Future of a str, of bytes if the message is binary, or of None if the connection is closed
            and all messages have been read.
        :raises RuntimeError: if the connection has an ``on_message_callback``.

        While 64 messages or 256 KiB wait to be read, the connection reads no more data from the server. This
        includes pings and the close frame. A program that does not use messages should therefore discard them
        in an ``on_message_callback``.
        """
        if self._on_message_callback is not None:
            raise RuntimeError("read_message() cannot be used together with on_message_callback")
        future = self.read_queue.get()
        if callback is not None:
            self.io_loop.add_future(future, callback)
        return future

    def __aiter__(self) -> WebSocketClientConnection:
        """Iterate over the messages until the connection is closed: ``async for message in conn``."""
        return self

    async def __anext__(self) -> Message:
        message = await self.read_message()
        if message is None:
            raise StopAsyncIteration
        return message

    def on_message(self, message: Message) -> Awaitable[None] | None:
        """Called with each message: passes it to ``on_message_callback`` or to `read_message`."""
        if self._on_message_callback is None:
            return self.read_queue.put(message)
        return _coroutine_or_none(self._on_message_callback(message))

    def write_message(self, message: str | bytes | dict[str, Any], binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text, or its UTF-8 encoding as bytes; a dict is sent as JSON.
        :param binary: whether to send a binary message, which the server receives as bytes. Any bytes are
            valid then.
        :returns: a Future, done when at most 1 MiB waits to be sent. Await it if messages may be sent faster
            than the server reads. It raises `WebSocketClosedError` if the connection is closed before that.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises TypeError: if the message has another type.
        """
        if isinstance(message, dict):
            message = json_encode(message)
        return self._open_protocol().write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping; `on_pong` is called with the payload of the reply.

        :param data: the payload, at most 125 bytes, which the reply repeats.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises ValueError: if `data` is longer.
        """
        self._open_protocol().write_ping(utf8(data))

    def on_ping(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each ping. The pong is sent automatically."""

    def on_pong(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each pong, the reply to a `ping`."""

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._subprotocol

    def _open_protocol(self) -> WebSocketProtocol:
        if self.protocol is None:
            raise closed_error(self)
        return self.protocol

    # -- the end --

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start the closing handshake. The server has five seconds to reply to the close frame, and then five
        seconds to close the TCP connection.

        Messages that the server sent earlier can still be read; those that exceed the limits of `read_queue`
        are discarded.

        :param code: the close code (RFC 6455 section 7.4), such as 1000 for a normal closure; 3000 to 4999
            are available to applications.
        :param reason: a description for logs, cut to 123 bytes.
        :raises ValueError: if the code must not be sent.
        """
        if self.protocol is not None:
            self.protocol.close(code, reason)
            self.protocol = None
            if self._state is _OPEN:
                self._state = self._state.after[_CLOSE_SENT]
            self.read_queue.discard_excess()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed by either side. This method does not close it; see `close`."""
        if self._state is not _CLOSED:
            if self._closed is None:
                self._closed = self.io_loop.asyncio_loop.create_future()
            await asyncio.shield(self._closed)

    async def __aenter__(self) -> WebSocketClientConnection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()

    def on_ws_connection_close(self, close_code: int | None = None, close_reason: str | None = None) -> Any:
        """Called by the protocol when the connection is closed."""
        self.close_code, self.close_reason = close_code, close_reason
        return self.on_connection_close()

    def on_connection_close(self) -> Any:
        """Called when the connection is closed. After the last message, `read_message` returns None, and
        ``on_message_callback`` is called with None.

        Also called when the connection is closed during the handshake, which then fails.
        """
        handshake_failed = self._connecting is not None
        if self._connecting is not None and not self._connecting.done():
            if self._handshake is not None:
                self._handshake.fail(HTTPStreamClosedError("Connection closed"))
            return None
        if self._state is _CLOSED:
            return None
        self._mark_closed()
        if handshake_failed or self._on_message_callback is None:
            return None
        return _coroutine_or_none(self._on_message_callback(None))

    def _mark_closed(self) -> None:
        """End the message queue and complete `wait_closed`."""
        if self._state is _CLOSED:
            return
        self._state = self._state.after[_LOST]
        self.read_queue.end()
        if self._closed is not None:
            self._closed.set_result(None)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Called with an exception raised by a callback; the connection is then closed."""
        assert typ is not None
        assert value is not None
        app_log.error("Uncaught exception in a callback of %r", self, exc_info=(typ, value, tb))

    # -- the handshake --

    def _handshake_request(self, request: HTTPRequest) -> HTTPRequest:
        """Return the request of the handshake.

        :param request: the program's request, or the request that follows a redirect.
        :raises ValueError: if the request has a method other than GET, a body, or an invalid proxy or URL.
        """
        if request.method != "GET" or request.body is not None or request.body_producer is not None:
            raise ValueError(f"WebSocket handshake requires GET without a body, got {request.method}")
        proxy_of(request)  # raises ValueError if the proxy is invalid
        defaults = _DEFAULTS
        if isinstance(request, _RequestProxy):  # passed by a program, usually with the HTTP client's defaults
            defaults = {**_DEFAULTS, **(request.defaults or {}), "follow_redirects": False}
            request = request.request
        effective = copy.copy(request)
        effective.original_request = getattr(request, "original_request", request)  # type: ignore[attr-defined]
        effective.url = _http_url(request.url)
        effective.headers = httputil.HTTPHeaders(request.headers)
        self.key: str = ws_handshake.make_key(os.urandom(16))
        for name in (_PROTOCOL, _EXTENSIONS):
            effective.headers.pop(name, None)
        for name, value in ws_handshake.request_headers(self.key, self._subprotocols, self.params.policy):
            effective.headers[name] = value
        return _RequestProxy(effective, defaults)  # type: ignore[return-value]

    def _original_request(self) -> HTTPRequest:
        """Return the request that the program made."""
        original: HTTPRequest = self.request.original_request  # type: ignore[attr-defined]
        return original

    def connected(self, stream: IOStream) -> None:
        """Called by the handshake when the TCP connection is open; see `UpgradeHandler`."""
        self.stream = stream

    def redirected(self, request: HTTPRequest) -> HTTPRequest:
        """Return the request that follows a redirect; see `UpgradeHandler`."""
        request.url = _http_url(request.url)
        self.request = self._handshake_request(request)
        self.parsed = urlsplit(self.request.url)
        effective: HTTPRequest = self.request.request  # type: ignore[attr-defined]
        return effective

    def check(self, head: ResponseHead) -> None:
        """Check the 101 response of the server; see `UpgradeHandler`."""
        self.headers_received(ResponseStartLine(head.version, head.code, head.reason), head.headers)

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Any:
        """Check the head of a 101 response.

        :raises HandshakeError: if the response does not match the request.
        """
        self.headers = headers  # `code` stays None: programs use it to recognize an open WebSocket
        self._agreed = ws_handshake.check_response(
            101, headers, self.key, self._subprotocols, self.params.policy
        )

    def switched(self, stream: IOStream) -> None:
        """Take over the stream after the handshake; see `UpgradeHandler`."""
        subprotocol, parameters = self._agreed
        # Release the objects that only the handshake needs. Programs inspect `request` later, so it is kept.
        del self._agreed, self._handshake
        stream.set_close_callback(None)
        if subprotocol is not None:
            self._subprotocol = subprotocol
        protocol: Any = self.get_websocket_protocol()
        self.protocol = protocol
        self._state = self._state.after[_OPENED]
        future = self._connecting
        if future is not None and not future.cancelled():
            self._connecting = None
            future.set_result(self)
        protocol.begin(stream, parameters, subprotocol, self._program_resumed)

    def get_websocket_protocol(self) -> WebSocketProtocol:
        """Create the protocol object of the connection."""
        return WebSocketProtocol13(self, True, self.params)

    def _program_resumed(self) -> Future[None]:
        """Return a Future that is done after the code that awaits the connection has resumed.

        Messages are delivered after that, so the program has the connection object when the first message is
        delivered.
        """
        loop = self.io_loop.asyncio_loop
        future: Future[None] = loop.create_future()
        loop.call_soon(future.set_result, None)
        return future

    def _on_http_response(self, response: HTTPResponse) -> None:
        """Called with the response if the handshake fails."""
        self._handshake = None
        if response.code != NO_RESPONSE:
            self.code, self.headers = response.code, response.headers
        error: Any = response.error
        if error is None:
            error = HandshakeError(f"expected status code 101 (Switching Protocols), got {response.code}")
        elif isinstance(error, HTTPClientError) and error.response is not None:
            # This is a copy of the error without the response, which would form a reference cycle with the
            # error.
            error.response.error = HTTPClientError(error.code, error.message)
        if isinstance(error, HandshakeError):
            error.add_note(f"(WebSocket handshake with {url_without_secrets(self.request.url)})")
        # The failure of an attempt that the program has cancelled is not reported.
        if self._connecting is not None and not self._connecting.cancelled():
            self._connecting.set_exception(error)
        clear_frames(error)

    def _on_connected(self, future: Future[WebSocketClientConnection]) -> None:
        """Called when `connect_future` is done. If the program has cancelled it, abort the connection."""
        if self.protocol is not None:
            if future.cancelled():
                self.close()
            return
        self._mark_closed()
        handshake, self._handshake = self._handshake, None
        if future.cancelled() and handshake is not None:
            handshake.cancel()


def _http_url(url: str) -> str:
    """Return the URL of the handshake for the URL of a WebSocket."""
    scheme, colon, rest = url.partition(":")
    if scheme.lower() not in _SCHEMES or not colon:
        raise ValueError(f"WebSocket URL must begin with ws:// or wss://, got {url!r}")
    return f"{_SCHEMES[scheme.lower()]}:{rest}"


def _offered_subprotocols(request: HTTPRequest, subprotocols: Sequence[str] | None) -> tuple[str, ...]:
    """Return the subprotocols to offer: those of the argument or, if it is None, of the request's headers."""
    if subprotocols is not None:
        if isinstance(subprotocols, str):
            raise TypeError(f"subprotocols must be a list of names, got {subprotocols!r}")
        return tuple(subprotocols)
    lines = httputil.HTTPHeaders(request.headers).get_list(_PROTOCOL)
    return tuple(name for line in lines for name in map(str.strip, line.split(",")) if name)


def _coroutine_or_none(result: Any) -> Awaitable[None] | None:
    """Return the result of a callback if it is a coroutine, which must be run; otherwise None."""
    return result if asyncio.iscoroutine(result) else None


__all__ = ["ConnectFuture", "WebSocketClientConnection"]
