"""`WebSocketClientConnection`: a client's WebSocket, from its handshake to its end.

The handshake is an HTTP request, carried out by `_client_handshake`; after it the stream belongs to
`_protocol`, and nothing waits: an open connection has no task and no timer of its own.
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
from tornado.concurrent import Future, future_set_exception_unless_cancelled
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
from tornado.simple_httpclient._url import parse_url
from tornado.websocket._client_handshake import ClientHandshake
from tornado.websocket._errors import closed_error, forget_frames
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._legacy_names import LegacyNames
from tornado.websocket._message_queue import Message, MessageQueue
from tornado.websocket._parameters import MAX_MESSAGE_SIZE, WebSocketParams, params_of
from tornado.websocket._protocol import WebSocketProtocol13

#: The scheme that the handshake goes by. Programs write all four.
_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
#: Of the HTTP client's defaults one is different: a WebSocket is not looked for elsewhere unless told so.
_DEFAULTS = {**HTTPRequest._DEFAULTS, "follow_redirects": False}
_PROTOCOL = "Sec-WebSocket-Protocol"
_EXTENSIONS = "Sec-WebSocket-Extensions"


class Connecting(asyncio.Future["WebSocketClientConnection"]):
    """A Future of a connection, and a context that closes it: ``async with websocket_connect(url) as
    conn``.
    """

    async def __aenter__(self) -> WebSocketClientConnection:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        await self.result().__aexit__(kind, error, place)


class WebSocketClientConnection(LegacyNames):
    """A client's side of a WebSocket; `websocket_connect` makes it.

    :param request: an `.HTTPRequest` with the URL of the WebSocket; it is copied. Programs also pass one
        wrapped in a ``_RequestProxy``.

    The other arguments are those of `websocket_connect`. `connect_future` gives the connection when it is
    open::

        conn = await websocket_connect("wss://example.com/prices")
        await conn.write_message("subscribe EUR")
        async for message in conn:
            print(message)
        print("closed by the server:", conn.close_code, conn.close_reason)

    A subclass may override `on_message`, `on_ping`, `on_pong` and `on_connection_close`; an ``async``
    `on_message` is waited for before the next message is read.

    :ivar request: the request as it was sent, ``Upgrade`` and ``Sec-WebSocket-…`` included; its URL begins
        with ``http:`` or ``https:``.
    :ivar parsed: that URL, taken apart.
    :ivar stream: the `.IOStream`, as soon as there is one.
    :ivar headers: the `.HTTPHeaders` of the answer to the handshake.
    :ivar close_code: how the server closed (RFC 6455 section 7.4); None if it just went, or gave no code.
    :ivar close_reason: its reason, likewise.
    :ivar close_error: why this side has ended the connection by itself: what rule or limit the server broke,
        or that it did not answer a ping; None if it has not.
    :ivar protocol: the `WebSocketProtocol`; None before the connection is open and once `close` was called.
    :ivar read_queue: messages that have come and were not read.
    """

    __module__ = "tornado.websocket"  # its public address

    # What is not set yet in an object shows these: idle ones may be many.
    protocol: WebSocketProtocol | None = None
    close_code: int | None = None
    close_reason: str | None = None
    close_error: str | None = None
    _subprotocol: str | None = None
    #: Of the response that came in place of a WebSocket.
    code: int | None = None
    headers: httputil.HTTPHeaders | None = None
    stream: IOStream
    #: Until the handshake is over.
    _opening: ClientHandshake | None = None
    #: What `wait_closed` waits for.
    _closed: Future[None] | None = None
    _is_over = False

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
        self.request: HTTPRequest = self._prepared(request)
        self.parsed: SplitResult = urlsplit(self.request.url)
        #: Until it is done with a connection: with that, each would keep the other alive.
        self._connecting: Connecting | None = Connecting(loop=loop)
        self._connecting.add_done_callback(self._on_connected)
        self._opening = ClientHandshake(self.request, self._on_http_response, self, resolver)
        self._opening.start()

    @property
    def connect_future(self) -> Connecting:
        """The Future that `websocket_connect` returns. Cancelling it gives up and closes the socket."""
        future = self._connecting
        if future is None:
            future = Connecting(loop=self.io_loop.asyncio_loop)
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
        if not hasattr(self, "request"):  # a stand-in of a program's tests
            return object.__repr__(self)
        state = "closed" if self._is_over else "connecting" if self.protocol is None else "open"
        return f"<{type(self).__name__} {self._original_request().url} {state}>"

    # -- messages --

    def read_message(
        self, callback: Callable[[Future[Message | None]], Any] | None = None
    ) -> Future[Message | None]:
        """Read the next message. Several Futures may wait at a time; they are served in order.

        :param callback: called with the Future when it is done.
        :returns: a Future of a str, of bytes where the message is binary, or of None when the connection is
            closed and all messages were read.
        :raises RuntimeError: if messages go to ``on_message_callback``.

        When 64 messages or 256 KiB wait to be read, nothing more is taken from the server until some are, its
        pings and its close frame included: a program that has no use for messages should drop them in an
        ``on_message_callback``.
        """
        if self._on_message_callback is not None:
            raise RuntimeError("read_message(): messages go to the on_message_callback")
        future = self.read_queue.get()
        if callback is not None:
            self.io_loop.add_future(future, callback)
        return future

    def __aiter__(self) -> WebSocketClientConnection:
        """``async for message in conn``: all messages, until the connection is closed."""
        return self

    async def __anext__(self) -> Message:
        message = await self.read_message()
        if message is None:
            raise StopAsyncIteration
        return message

    def on_message(self, message: Message) -> Awaitable[None] | None:
        """Called with each message: hands it to ``on_message_callback`` or to `read_message`."""
        if self._on_message_callback is None:
            return self.read_queue.put(message)
        return _coroutine_or_none(self._on_message_callback(message))

    def write_message(self, message: str | bytes | dict[str, Any], binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text, or its UTF-8 as bytes; a dict is sent as JSON.
        :param binary: send it as binary, so that the server gets bytes; any bytes will do then.
        :returns: a Future to await wherever messages may come faster than the server reads: it is done once
            at most 1 MiB waits to be sent. It holds a `WebSocketClosedError` if the connection is closed
            before.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises TypeError: for a message of another type.
        """
        if isinstance(message, dict):
            message = json_encode(message)
        return self._open_protocol().write_message(message, binary)

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping; its answer goes to `on_pong`.

        :param data: at most 125 bytes that come back with the answer.
        :raises WebSocketClosedError: if the connection is closed or closing.
        :raises ValueError: if `data` is longer.
        """
        self._open_protocol().write_ping(utf8(data))

    def on_ping(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each ping; it is answered without this."""

    def on_pong(self, data: bytes) -> Awaitable[None] | None:
        """Called with the payload of each pong, the answer to a `ping`."""

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that the server chose; None for none."""
        return self._subprotocol

    def _open_protocol(self) -> WebSocketProtocol:
        if self.protocol is None:
            raise closed_error(self)
        return self.protocol

    # -- the end --

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection: the server is told, and has five seconds to answer and as many to close.

        What it has sent before can still be read, as far as it fits into `read_queue`.

        :param code: why (RFC 6455 section 7.4): 1000 for a normal end, 3000 to 4999 for the program's own.
        :param reason: the same for people; what is beyond 123 bytes is left out.
        :raises ValueError: for a code that must not be sent.
        """
        if self.protocol is not None:
            self.protocol.close(code, reason)
            self.protocol = None
            self.read_queue.discard_excess()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed, by whomever. It does not close it; see `close`."""
        if not self._is_over:
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
        """The protocol tells that the connection is closed."""
        self.close_code, self.close_reason = close_code, close_reason
        return self.on_connection_close()

    def on_connection_close(self) -> Any:
        """The connection is closed: `read_message` and ``on_message_callback`` get None behind what waits.

        Also called when it is closed during the handshake, which fails then.
        """
        given_up = self._connecting is not None
        if self._connecting is not None and not self._connecting.done():
            if self._opening is not None:
                self._opening.fail(HTTPStreamClosedError("Connection closed"))
            return None
        if self._is_over:
            return None
        self._end()
        if given_up or self._on_message_callback is None:
            return None
        return _coroutine_or_none(self._on_message_callback(None))

    def _end(self) -> None:
        """No message will come any more."""
        if self._is_over:
            return
        self._is_over = True
        self.read_queue.end()
        if self._closed is not None:
            self._closed.set_result(None)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Called with what a callback has raised; the connection is closed then."""
        assert typ is not None
        assert value is not None
        app_log.error("Uncaught exception in a callback of %r", self, exc_info=(typ, value, tb))

    # -- the handshake --

    def _prepared(self, request: HTTPRequest) -> HTTPRequest:
        """What is asked of the server for a request that was made by the program, or by a redirect.

        :raises ValueError: if the request cannot be one for a WebSocket.
        """
        if request.method != "GET" or request.body is not None or request.body_producer is not None:
            raise ValueError(f"a WebSocket is opened by GET, without a body; the request is {request.method}")
        proxy_of(request)  # which knows what is wrong with it
        defaults = _DEFAULTS
        if isinstance(request, _RequestProxy):  # a program's own, most often with the HTTP client's defaults
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
        """The request that the program made."""
        original: HTTPRequest = self.request.original_request  # type: ignore[attr-defined]
        return original

    def connected(self, stream: IOStream) -> None:
        """The handshake tells that there is a connection; see `Upgrade`."""
        self.stream = stream

    def redirected(self, request: HTTPRequest) -> HTTPRequest:
        """The handshake asks what to send to where a redirect leads; see `Upgrade`."""
        request.url = _http_url(request.url)
        self.request = self._prepared(request)
        self.parsed = urlsplit(self.request.url)
        effective: HTTPRequest = self.request.request  # type: ignore[attr-defined]
        return effective

    def check(self, head: ResponseHead) -> None:
        """The handshake tells that the server switches protocols; see `Upgrade`."""
        self.headers_received(ResponseStartLine(head.version, head.code, head.reason), head.headers)

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Any:
        """Called with the head of the server's answer, if that agrees to a WebSocket.

        :raises HandshakeError: if it does not answer what was asked.
        """
        self.headers = headers  # `code` is that of another answer: programs take None for a WebSocket
        self._agreed = ws_handshake.check_response(
            101, headers, self.key, self._subprotocols, self.params.policy
        )

    def switched(self, stream: IOStream) -> None:
        """The handshake tells that the stream is a WebSocket's from here on; see `Upgrade`."""
        subprotocol, parameters = self._agreed
        # Only needed for the handshake. `request` stays: programs read from it what was sent.
        del self._agreed, self._opening
        stream.set_close_callback(None)
        if subprotocol is not None:
            self._subprotocol = subprotocol
        protocol: Any = self.get_websocket_protocol()
        self.protocol = protocol
        future = self._connecting
        if future is not None and not future.cancelled():
            self._connecting = None
            future.set_result(self)
        protocol.begin(stream, parameters, subprotocol, self._let_the_program_begin)

    def get_websocket_protocol(self) -> WebSocketProtocol:
        """Make the object for the connection."""
        return WebSocketProtocol13(self, True, self.params)

    def _let_the_program_begin(self) -> Future[None]:
        """Done when who awaits the connection has gone on, so that no message comes before he knows it."""
        loop = self.io_loop.asyncio_loop
        future: Future[None] = loop.create_future()
        loop.call_soon(future.set_result, None)
        return future

    def _on_http_response(self, response: HTTPResponse) -> None:
        """The handshake is over, and there is no WebSocket."""
        self._opening = None
        if response.code != NO_RESPONSE:
            self.code, self.headers = response.code, response.headers
        error: Any = response.error
        if error is None:
            error = HandshakeError(f"the server answers with status {response.code}, not 101")
        elif isinstance(error, HTTPClientError) and error.response is not None:
            # Not the same, which knows the answer: nobody would free the two.
            error.response.error = HTTPClientError(error.code, error.message)
        if self._connecting is not None:
            future_set_exception_unless_cancelled(self._connecting, error)
        forget_frames(error)

    def _on_connected(self, future: Future[WebSocketClientConnection]) -> None:
        """The outcome is known; where the program has given up, so do we."""
        if self.protocol is not None:
            if future.cancelled():
                self.close()
            return
        self._end()
        opening, self._opening = self._opening, None
        if future.cancelled() and opening is not None:
            opening.cancel()


def _http_url(url: str) -> str:
    """The URL of the handshake for a WebSocket's."""
    scheme, colon, rest = url.partition(":")
    if scheme.lower() not in _SCHEMES or not colon:
        raise ValueError(f"a WebSocket's URL begins with ws:// or wss://, and this is {url!r}")
    return f"{_SCHEMES[scheme.lower()]}:{rest}"


def _offered_subprotocols(request: HTTPRequest, subprotocols: Sequence[str] | None) -> tuple[str, ...]:
    """The subprotocols to offer; without the argument, those that the program has put into the headers."""
    if subprotocols is not None:
        if isinstance(subprotocols, str):
            raise TypeError(f"subprotocols is a list of names, not {subprotocols!r}")
        return tuple(subprotocols)
    lines = httputil.HTTPHeaders(request.headers).get_list(_PROTOCOL)
    return tuple(name for line in lines for name in map(str.strip, line.split(",")) if name)


def _coroutine_or_none(result: Any) -> Awaitable[None] | None:
    """What a program's callback has returned, if it has to be carried on; else nobody asks for it."""
    return result if asyncio.iscoroutine(result) else None


__all__ = ["Connecting", "WebSocketClientConnection"]
