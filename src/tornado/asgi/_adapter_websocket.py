"""The opening handshake of a WebSocket under an ASGI server.

The request is served like any other GET, so ``prepare`` may set header fields or reject it. Acceptance is the
status 101, which becomes the event ``websocket.accept``. Any other response rejects the handshake: it is sent
if the server supports the extension ``websocket.http.response``; otherwise the server responds with 403.
"""

from __future__ import annotations

from typing import Any

from tornado._wire.heads import RequestHead
from tornado._wire.ws_handshake import VERSIONS, Offer
from tornado.asgi._adapter_websocket_transport import ASGIWebSocketProtocol, ASGIWebSocketTransport
from tornado.asgi._exchange import ASGIExchange
from tornado.asgi._request import ASGIRequest
from tornado.asgi._response_head import response_fields
from tornado.asgi._types import Event, Scope
from tornado.concurrent import Future
from tornado.http1connection._states import ExchangeState
from tornado.httputil import HTTPHeaders
from tornado.websocket._parameters import WebSocketParams

_EXTENSION = "websocket.http.response"
_HANDSHAKE_PREFIX = b"sec-websocket-"


class _OfferedWebSocket:
    """The WebSocket that the client of a request asks for; see `.ServerExchange`.

    :ivar offer: the options that the client offers. The extensions are the business of the ASGI server.
    """

    def __init__(self, scope: Scope) -> None:
        self.offer = Offer("", VERSIONS[0], tuple(scope.get("subprotocols") or ()), ())

    def make_protocol(self, handler: Any, params: WebSocketParams) -> ASGIWebSocketProtocol:
        """Return the protocol object for a handler."""
        return ASGIWebSocketProtocol(handler, False, params)


class ASGIWebSocketExchange(ASGIExchange):
    """The request that opens a WebSocket, and its response."""

    event_prefix = _EXTENSION
    _is_accepted = False

    def __init__(self, driver: ASGIWebSocketRequest, head: RequestHead, scope: Scope) -> None:
        super().__init__(driver, head, scope)
        self.websocket = _OfferedWebSocket(scope)

    def put_interim(self, code: int, headers: HTTPHeaders) -> Future[None]:
        """Accept the WebSocket if the status is 101."""
        if code != 101:
            return super().put_interim(code, headers)
        self._is_accepted = True
        fields = [
            (name, value)
            for name, value in response_fields(headers, False, False)
            if not name.startswith(_HANDSHAKE_PREFIX)
        ]
        subprotocol = headers.get("Sec-WebSocket-Protocol")
        return self.queue.put({"type": "websocket.accept", "subprotocol": subprotocol, "headers": fields})

    def put_head(self, code: int, fields: list[tuple[bytes, bytes]]) -> Future[None]:
        """Reject the WebSocket with the head of a response."""
        if _has_extension(self.scope):
            return super().put_head(code, fields)
        return self.queue.put({"type": "websocket.close"})

    def put_body(self, part: bytes) -> Future[None]:
        """Send a part of the body of a response that rejects the WebSocket."""
        return super().put_body(part) if _has_extension(self.scope) else self.queue.when_sent()

    def put_end(self) -> None:
        """Send the end of a response that rejects the WebSocket."""
        if _has_extension(self.scope):
            super().put_end()

    def detach(self) -> Any:
        """Return the transport of a WebSocket that was accepted.

        :raises RuntimeError: if it was not accepted.
        """
        if not self._is_accepted or self.state not in (ExchangeState.OPEN, ExchangeState.DETACHED):
            return super().detach()
        transport = self.driver.open_transport(self.queue)
        if not self.is_detached:
            self.end(ExchangeState.DETACHED)
        return transport


class ASGIWebSocketRequest(ASGIRequest):
    """One call of the adapter for a WebSocket."""

    _transport: ASGIWebSocketTransport | None = None

    async def run(self) -> None:
        """Serve the WebSocket."""
        event = await self.receive()
        if event["type"] == "websocket.connect":  # otherwise the client has disconnected already
            await super().run()

    def make_exchange(self, head: RequestHead) -> ASGIExchange:
        """Return the exchange for the handshake."""
        return ASGIWebSocketExchange(self, head, self.scope)

    def open_transport(self, queue: Any) -> ASGIWebSocketTransport:
        """Return the transport of the accepted WebSocket."""
        if self._transport is None:
            self._transport = ASGIWebSocketTransport(queue, self)
        return self._transport

    async def send_event(self, event: Event) -> None:
        """Pass an event to the server.

        A close event ends the WebSocket for the application: the server completes the closing handshake.
        Granian does not do this while the application waits in ``receive``.
        """
        closes = event["type"] == "websocket.close"
        if closes:
            await self.stop_receiving()
        await super().send_event(event)
        if closes and self._transport is not None:
            self._transport.close_sent(event["code"], event["reason"])

    def event_accepted(self) -> None:
        """Record that the server has accepted an event."""
        super().event_accepted()
        if self._transport is not None:
            self._transport.output_accepted()

    def is_over(self) -> bool:
        """Whether no event will follow."""
        return super().is_over() if self._transport is None else self._transport.closed()

    def is_input_paused(self) -> bool:
        """Whether the handler is busy with previous messages."""
        return super().is_input_paused() if self._transport is None else self._transport.is_paused

    def received(self, event: Event) -> bool:
        """Process an event; return False if no other event will follow."""
        transport = self._transport
        if event["type"] == "websocket.disconnect":
            if transport is None:
                self.disconnected()
            else:
                transport.disconnected(event.get("code", 1005), event.get("reason") or "")
            return False
        if event["type"] == "websocket.receive" and transport is not None:
            text = event.get("text")
            transport.received(event.get("bytes") or b"" if text is None else text)
        return True

    def disconnected(self) -> None:
        """Process the disconnect of the client."""
        super().disconnected()
        if self._transport is not None:
            self._transport.disconnected()

    def error_events(self, code: int, fields: list[tuple[bytes, bytes]], body: bytes) -> list[Event]:
        """Return the events of an error response."""
        if not _has_extension(self.scope):
            return [{"type": "websocket.close"}]
        events = super().error_events(code, fields, body)
        return [{**event, "type": f"websocket.{event['type']}"} for event in events]


def _has_extension(scope: Scope) -> bool:
    return _EXTENSION in (scope.get("extensions") or ())


__all__ = ["ASGIWebSocketExchange", "ASGIWebSocketRequest"]
