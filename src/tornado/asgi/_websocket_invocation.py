"""One call of an ASGI application for a WebSocket.

The handshake is answered when the application sends ``websocket.accept``, ``websocket.close`` (403) or a
response of its own (the extension ``websocket.http.response``). After that, a `WebSocketConnection` connects
the application to the same protocol object that a `.WebSocketHandler` uses.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from time import time
from typing import Any

from tornado._gateway_access_log import log_gateway_request
from tornado._gateway_observation import CLIENT_CLOSED_REQUEST, ObservedRequest
from tornado._loop.tasks import keep_reference, run_eagerly
from tornado._wire import ws_handshake
from tornado._wire.state_machine import State, permit
from tornado.asgi._application_errors import comes_from_disconnect, log_exception
from tornado.asgi._http_head import default_fields, serialize_fields
from tornado.asgi._http_response import HTTPResponse, ResponseState
from tornado.asgi._wakeup import Wakeup
from tornado.asgi._websocket_connection import WebSocketConnection
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError
from tornado.log import app_log, escape_controls
from tornado.websocket._errors import WebSocketClosedError
from tornado.websocket._parameters import WebSocketParams

#: The number of messages, and their size in bytes or characters, above which the application must receive
#: some of them before more are read.
MAX_QUEUED = 32
MAX_QUEUED_SIZE = 64 * 1024

#: The close codes of `websocket.disconnect` (RFC 6455 section 7.1.5).
NO_CODE, ABNORMAL = 1005, 1006


class WebSocketCallState(State):
    """The state of the connection, as the application sees it."""

    #: The application has not answered the handshake.
    CONNECTING = 1
    #: The connection is open.
    OPEN = 2
    #: The application has rejected the handshake with a response that is not complete.
    DENYING = 3
    #: The application has closed the connection or rejected the handshake.
    CLOSED = 4
    #: The client has closed the connection, or has disconnected.
    DISCONNECTED = 5


_CONNECTING, _OPEN, _DENYING, _CLOSED, _DISCONNECTED = WebSocketCallState

#: The states that may follow each state.
TRANSITIONS = {
    _CONNECTING: (_OPEN, _DENYING, _CLOSED, _DISCONNECTED),
    _OPEN: (_CLOSED, _DISCONNECTED),
    _DENYING: (_CLOSED, _DISCONNECTED),
    _CLOSED: (_DISCONNECTED,),
    _DISCONNECTED: (),
}
permit(TRANSITIONS)


class WebSocketInvocation(HTTPMessageDelegate):
    """One call of an application.

    :param application: the ASGI application.
    :param scope: its first argument.
    :param exchange: the exchange of the request.
    :param head: the head of the request.
    :param offer: the options that the client offers.
    :param params: the settings of the connection.
    :param observed: the observation of the request, which ends with the handshake; None without an observer.
    """

    __slots__ = (
        "_application",
        "_began",
        "_connection",
        "_events",
        "_exchange",
        "_final",
        "_head",
        "_observed",
        "_offer",
        "_params",
        "_response",
        "_room",
        "_scope",
        "_size",
        "_state",
        "_task",
        "_wakeup",
    )

    def __init__(
        self,
        application: Any,
        scope: dict[str, Any],
        exchange: Any,
        head: Any,
        offer: ws_handshake.Offer,
        params: WebSocketParams,
        observed: ObservedRequest | None = None,
    ) -> None:
        self._observed = observed
        self._application = application
        self._scope = scope
        self._exchange = exchange
        self._head = head
        self._offer = offer
        self._params = params
        self._began = time()
        self._state = _CONNECTING
        self._events: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._size = 0
        #: The event that `receive` returns after all others, when the connection has ended.
        self._final: dict[str, Any] | None = None
        self._wakeup = Wakeup()
        #: The Future for which the connection waits before it delivers more messages.
        self._room: asyncio.Future[None] | None = None
        #: The connection after the handshake, and the response that rejects it.
        self._connection: WebSocketConnection | None = None
        self._response: HTTPResponse | None = None
        self._task: asyncio.Task[None] | None = None

    # -- the delegate --

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """Do nothing: `finish` starts the application."""

    def finish(self) -> Any:
        """Return the coroutine that calls the application."""
        self._exchange.set_close_callback(self.on_connection_close)
        return self.run() if self._observed is None else self._run_observed(self._observed)

    def begin_complete(self) -> None:
        """Start the application, for a `.FallbackHandler`."""
        loop = asyncio.get_running_loop()
        _ = keep_reference(run_eagerly(loop, self.finish(), contextvars.copy_context()))

    def on_connection_close(self) -> None:
        """Record that the client has disconnected during the handshake."""
        if self._response is not None:
            self._response.disconnected()
        self.disconnected(ABNORMAL, "")

    async def run(self) -> None:
        """Call the application, and end its connection."""
        self._task = asyncio.current_task()
        try:
            await self._application(self._scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._end(1001)
            raise
        except Exception as error:
            if not (self._has_ended() and comes_from_disconnect(error)):
                log_exception(self._head, self._exchange, error)
            self._end(1011)
        else:
            if self._state is _CONNECTING or self._state is _DENYING:
                app_log.error(
                    "The ASGI application returned without answering the WebSocket handshake of %s",
                    escape_controls(self._head.target),
                )
            self._end(1000)

    async def _run_observed(self, observed: ObservedRequest) -> None:
        observed.begin()
        try:
            await self.run()
        finally:
            # Does nothing unless the client has disconnected during the handshake.
            observed.end(CLIENT_CLOSED_REQUEST)

    def _has_ended(self) -> bool:
        """Whether the connection has ended. `disconnected` may be called later, after the messages that the
        client has sent before.
        """
        connection = self._connection
        return self._state is _DISCONNECTED or (connection is not None and connection.is_closing())

    def _end(self, code: int) -> None:
        """End what the application has left open."""
        if self._connection is None and self._state is _DISCONNECTED:
            # The client has only closed its sending side, and the handshake has not been answered.
            self._exchange.close()
        if self._state is _OPEN:
            assert self._connection is not None
            self._state = self._state.to[_CLOSED]
            self._connection.close(code, "")
        elif self._state is _CONNECTING:
            self._state = self._state.to[_CLOSED]
            self._deny(500, b"Internal Server Error")
        elif self._state is _DENYING:
            assert self._response is not None
            self._state = self._state.to[_CLOSED]
            if self._response.begun:
                self._response.abort()
            else:
                self._response.send_error(500, "Internal Server Error", self._observed)
        self._release()

    def _release(self) -> None:
        """Let the connection continue to read, because its messages are not received any more. Otherwise it
        would not find the close frame after them.
        """
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # -- called by the connection --

    def message_received(self, message: str | bytes) -> asyncio.Future[None] | None:
        """Keep a message until the application receives it.

        :returns: a Future for which the delivery of further messages must wait, or None.
        """
        if self._state is not _OPEN:
            return None  # the application has closed the connection
        key = "text" if type(message) is str else "bytes"
        self._events.append({"type": "websocket.receive", key: message})
        self._size += len(message)
        self._wakeup.wake()
        if self._size <= MAX_QUEUED_SIZE and len(self._events) <= MAX_QUEUED:
            return None
        self._room = asyncio.get_running_loop().create_future()
        return self._room

    def disconnected(self, code: int, reason: str) -> None:
        """Record the end of the connection."""
        if self._final is None:
            self._final = {"type": "websocket.disconnect", "code": code, "reason": reason}
        if self._state is not _DISCONNECTED:
            self._state = self._state.to[_DISCONNECTED]
        self._wakeup.wake()

    def exception_raised(self, error: BaseException) -> None:
        """Log an exception in the delivery of a message."""
        log_exception(self._head, self._exchange, error)

    # -- called by the application --

    async def receive(self) -> dict[str, Any]:
        """Return the next event."""
        events = self._events
        while not events:
            if self._final is not None:
                await asyncio.sleep(0)  # an application that ignores this event must not block the event loop
                return self._final.copy()
            await self._wakeup.wait(asyncio.get_running_loop())
        event = events.popleft()
        if not events:
            self._size = 0
            self._release()
        return event

    async def send(self, message: dict[str, Any]) -> None:
        """Process a message of the application."""
        kind = message["type"]
        connection = self._connection
        if kind == "websocket.send" and self._state is _OPEN and connection is not None:
            data = message.get("bytes")
            written = connection.send(_text_of(message) if data is None else data)
            if not written.done():
                try:
                    await written
                except WebSocketClosedError:
                    raise StreamClosedError from None
            return
        if self._state is _DISCONNECTED:
            raise StreamClosedError
        method = _METHODS.get((self._state, kind))
        if method is None:
            raise self._unexpected(kind)
        await method(self, message)

    def _unexpected(self, kind: str) -> RuntimeError:
        expected = [repr(each) for state, each in _METHODS if state is self._state]
        if self._state is _OPEN:
            expected.append("'websocket.send'")
        text = " or ".join(expected) or "no further message: the connection is closed"
        return RuntimeError(f"unexpected ASGI message {kind!r:.100}, expected {text}")

    async def _accept(self, message: dict[str, Any]) -> None:
        """Send the 101 response and start the protocol."""
        exchange, offer, params = self._exchange, self._offer, self._params
        agreed = offer.deflate(params.policy)
        parameters, extension = (None, None) if agreed is None else agreed
        subprotocol = message.get("subprotocol")
        fields = ws_handshake.response_headers(offer, subprotocol, extension)
        own = list(message.get("headers") or ())
        if self._observed is not None:
            own = self._observed.asgi_fields(own)
        for name, _ in own:
            if name.lower() in _RESERVED:
                raise ValueError(f"websocket.accept must not contain the header {name.decode()!r}: {_HINT}")
        block = serialize_fields(own)
        if exchange.ended:
            raise StreamClosedError
        if isinstance(exchange, HTTP1Connection):
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("latin-1")
            block = default_fields() + lines + block
            _ = exchange.write_response_head(101, _SWITCHING, block, None, False, None)
        else:
            headers = HTTPHeaders.parse(block.decode("latin-1"))
            if subprotocol is not None:
                headers["Sec-WebSocket-Protocol"] = subprotocol
            exchange.write_headers(ResponseStartLine("HTTP/1.1", 101, _SWITCHING), headers)
        if exchange.ended:
            raise StreamClosedError  # the write has failed
        exchange.set_close_callback(None)
        stream = exchange.detach()
        self._log(101)
        self._state = self._state.to[_OPEN]
        self._connection = WebSocketConnection(self, exchange, params, self._task)
        self._connection.begin(stream, parameters, subprotocol)

    async def _close(self, message: dict[str, Any]) -> None:
        """Start the closing handshake."""
        assert self._connection is not None
        code, reason = message.get("code", 1000), message.get("reason") or ""
        self._connection.close(code, reason)
        self._state = self._state.to[_CLOSED]
        self._final = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._release()
        self._wakeup.wake()

    async def _refuse(self, message: dict[str, Any]) -> None:
        """Reject the handshake with 403."""
        self._state = self._state.to[_CLOSED]
        self._final = {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
        self._deny(403, b"Forbidden")

    async def _start_response(self, message: dict[str, Any]) -> None:
        """Reject the handshake with a response of the application."""
        response = HTTPResponse(self._exchange, self._head)
        fields = message.get("headers", ())
        if self._observed is not None:
            fields = self._observed.asgi_fields(fields)
        response.start({**message, "type": "http.response.start", "headers": fields})
        self._response = response
        self._state = self._state.to[_DENYING]

    async def _continue_response(self, message: dict[str, Any]) -> None:
        response = self._response
        assert response is not None
        written = response.body({**message, "type": "http.response.body"})
        if written is not None:
            await written
        if response.state is ResponseState.COMPLETE and self._state is _DENYING:
            self._state = self._state.to[_CLOSED]
            self._final = {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
            self._log(response.status)

    def _deny(self, status: int, body: bytes) -> None:
        response = self._response = HTTPResponse(self._exchange, self._head)
        response.send_error(status, body.decode(), self._observed)
        self._log(status)

    def _log(self, status: int) -> None:
        head = self._head
        if self._observed is not None:
            self._observed.end(status, None if self._response is None else self._response.size)
            return
        remote_ip = self._exchange.context.remote_ip
        log_gateway_request(status, head.method, head.target, remote_ip, time() - self._began)


def _text_of(message: dict[str, Any]) -> str:
    text = message.get("text")
    if not isinstance(text, str):
        raise TypeError(f"websocket.send must contain bytes, or text as a str, got {message!r:.100}")
    return text


_METHODS: dict[tuple[WebSocketCallState, str], Any] = {
    (_CONNECTING, "websocket.accept"): WebSocketInvocation._accept,
    (_CONNECTING, "websocket.close"): WebSocketInvocation._refuse,
    (_CONNECTING, "websocket.http.response.start"): WebSocketInvocation._start_response,
    (_DENYING, "websocket.http.response.body"): WebSocketInvocation._continue_response,
    (_OPEN, "websocket.close"): WebSocketInvocation._close,
}
#: Header fields that only the server may set.
_RESERVED = frozenset(
    [b"sec-websocket-protocol", b"sec-websocket-accept", b"sec-websocket-extensions", b"upgrade"]
)
_SWITCHING = "Switching Protocols"
_HINT = "only the server may set it (the subprotocol is a key of the message)"


__all__ = ["MAX_QUEUED", "TRANSITIONS", "WebSocketCallState", "WebSocketInvocation"]
