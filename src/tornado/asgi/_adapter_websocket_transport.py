"""A WebSocket over the events of an ASGI server: its transport, its protocol, and what connects the two.

The ASGI server performs the handshakes, and sends and receives the frames. `WebSocketProtocol13` therefore
works here with whole messages: instead of frames, its sans-IO protocol (`EventCore`) makes `Outgoing` events,
and decodes `Incoming` ones. Everything else is the same code as over a stream: the order of the callbacks,
back-pressure, the limit on the size of messages, broadcasts, and the states of the connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from tornado._wire import ws_connection
from tornado._wire.ws_errors import MessageTooLarge
from tornado._wire.ws_frames import close_payload
from tornado._wire.ws_state import WebSocketState, WebSocketStep
from tornado.asgi._event_queue import EventQueue
from tornado.asgi._types import Event
from tornado.iostream import StreamClosedError
from tornado.websocket._protocol import WebSocketProtocol13

#: What a message adds to the size of the pending output, so that an empty one counts too.
_EVENT_COST = 2
#: The code of a disconnect without a close frame (RFC 6455 section 7.1.5).
_ABNORMAL = 1006
#: The code of a close frame without a code.
_NO_CODE = 1005


class Outgoing:
    """An event to send, with the size of its message in bytes as its length."""

    __slots__ = ("event", "size")

    def __init__(self, event: Event, size: int) -> None:
        self.event = event
        self.size = size + _EVENT_COST

    def __len__(self) -> int:
        return self.size


class Incoming:
    """A message or the peer's close, with the size of the message as its length."""

    __slots__ = ("size", "value")

    def __init__(self, value: str | bytes | ws_connection.Close, size: int = 0) -> None:
        self.value = value
        self.size = size

    def __len__(self) -> int:
        return self.size


class EventCore:
    """The part of `.WSConnection` that `.WebSocketProtocol13` uses, for events instead of frames.

    :param limits: the limits; only ``max_message_size`` applies.
    :ivar state: the state of the connection.
    """

    __slots__ = ("_max_message_size", "state")

    #: Nothing is compressed or buffered here: the ASGI server does this.
    pending = compresses = plain = False

    def __init__(self, limits: ws_connection.WSLimits) -> None:
        self._max_message_size = limits.max_message_size
        self.state: WebSocketState = WebSocketState.OPEN

    def receive_data(self, data: Incoming) -> list[ws_connection.Event]:
        """Return the events for what the server has received."""
        if not self.state.reads:
            return []
        value = data.value
        if isinstance(value, ws_connection.Close):
            self.state = self.state.after[WebSocketStep.CLOSE_RECEIVED]
        elif data.size > self._max_message_size:
            self.state = self.state.after[WebSocketStep.FAULT]
            text = f"message exceeds the limit of {self._max_message_size} bytes (max_message_size)"
            return [ws_connection.Failed(MessageTooLarge.close_code, MessageTooLarge(text))]
        return [value]

    def receive_eof(self) -> None:
        """Process the end of the input."""
        if self.state.reads:
            self.abandon()

    def abandon(self) -> None:
        """Process the loss of the connection."""
        self.state = self.state.after[WebSocketStep.LOST]

    def message(self, payload: bytes, binary: bool = False) -> Outgoing:
        """Return the event for a message.

        :raises ValueError: if nothing may be sent any more.
        """
        if not self.state.sends:
            raise ValueError(f"cannot send a message: the WebSocket is {self.state.value}")
        data: dict[str, Any] = {"bytes": payload} if binary else {"text": payload.decode()}
        return Outgoing({"type": "websocket.send", **data}, len(payload))

    def close(self, code: int | None = None, reason: str = "") -> Outgoing | bytes:
        """Return the event that closes the connection; empty bytes if either side has closed it.

        :raises ValueError: if the code must not be sent.
        """
        close_payload(code, reason)  # checks both
        if not self.state.sends:
            return b""
        peer_closed = self.state is WebSocketState.CLOSED_BY_PEER
        self.state = self.state.after[WebSocketStep.CLOSE_SENT]
        if peer_closed:
            return b""  # the server has replied to the close frame
        return Outgoing({"type": "websocket.close", "code": code or 1000, "reason": reason}, 0)

    def release(self) -> None:
        """Do nothing: there is no compressor."""


class ASGIWebSocketProtocol(WebSocketProtocol13):
    """The ``ws_connection`` of a handler under an ASGI server."""

    __slots__ = ()

    def make_core(self, parameters: Any) -> Any:
        """Return the protocol that works with events."""
        return EventCore(self.params.limits)

    def start_pinging(self) -> None:
        """Do nothing: the ASGI server sends pings; it has its own settings for them."""

    def write_ping(self, data: bytes) -> None:
        """Not available.

        :raises RuntimeError: always.
        """
        raise RuntimeError(
            "ping() is not available under an ASGI server: ASGI has no event for pings. "
            "The server sends its own, for example with uvicorn --ws-ping-interval"
        )

    def set_nodelay(self, x: bool) -> None:
        """Do nothing: the socket belongs to the ASGI server."""


class InputDriver(Protocol):
    """The methods of the `.ASGIWebSocketRequest` that a transport uses."""

    def continue_input(self) -> None:
        """Receive further events after reading was paused."""

    def wake(self) -> None:
        """Notice that the transport is closed."""


class ASGIWebSocketTransport:
    """What `.WebSocketProtocol13` uses as its stream; see `.Transport`.

    :param queue: the events that the server has not accepted.
    :param driver: the call of the application.
    :ivar is_paused: whether no event should be received.
    """

    #: The output is never collected.
    corked_size = 0
    error: BaseException | None = None

    def __init__(self, queue: EventQueue, driver: InputDriver) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_paused = False
        self._queue = queue
        self._driver = driver
        self._consumer: Any = None
        self._is_closed = False
        #: Whether the client has closed the connection, so that nothing can be sent.
        self._is_disconnected = False
        #: The Futures of `when_written`, each with its number of bytes.
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    # -- called by the driver --

    def received(self, message: str | bytes) -> None:
        """Pass a message to the consumer."""
        if not self._is_closed:
            size = len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())
            self._consumer.data_received(Incoming(message, size))

    def disconnected(self, code: int | None = _ABNORMAL, reason: str = "") -> None:
        """Pass the end of the connection to the consumer, after the messages that it has not processed."""
        if self._is_closed or self._is_disconnected:
            return
        self._is_disconnected = True
        self._queue.clear()
        # A callback that waits for its output must end before the consumer processes the disconnect.
        self.output_accepted()
        if code is None or code == _ABNORMAL:
            self._consumer.eof_received()
        else:
            close = ws_connection.Close(None if code == _NO_CODE else code, reason)
            self._consumer.data_received(Incoming(close))

    def close_sent(self, code: int, reason: str) -> None:
        """Process the end of the connection after the server has accepted a close event.

        The reply of the client is not known. The same code is assumed, because clients usually repeat it (RFC
        6455 section 5.5.1).
        """
        self._is_disconnected = True
        if not self._is_closed:
            self._consumer.data_received(Incoming(ws_connection.Close(code, reason)))

    def output_accepted(self) -> None:
        """Notify those who wait for the output, after the server has accepted an event."""
        size = self._queue.size
        done = [future for rest, future in self._waiting if size <= rest]
        self._waiting = [each for each in self._waiting if size > each[0]]
        for future in done:
            if not future.done():
                future.set_result(None)
        if not size and self._consumer is not None:
            self._consumer.output_drained()

    # -- the interface of a transport --

    @property
    def unsent_output(self) -> object | None:
        """The output that waits; None if no output waits."""
        return self._queue if self._queue.size else None

    @property
    def pending_output(self) -> int:
        """The size of the output that waits, in bytes."""
        return self._queue.size

    def start_push(self, consumer: Any) -> None:
        """Pass all input to `consumer`."""
        self._consumer = consumer

    def send(self, data: Any) -> bool:
        """Send an event; return False if more output waits, after which ``output_drained`` is called.

        :raises RuntimeError: if `data` is a frame: the handler uses another protocol class.
        """
        if not isinstance(data, Outgoing):
            if not data:
                return True
            raise RuntimeError(
                "this protocol sends frames, which an ASGI server does not accept: let "
                "get_websocket_protocol() return super().get_websocket_protocol()"
            )
        if self._is_closed or self._is_disconnected:
            return True
        _ = self._queue.put(data.event, data.size)
        return False

    def cork(self) -> None:
        """Do nothing: each event is a message."""

    uncork = flush_output = cork

    def pause_reading(self) -> None:
        """Receive no event until `resume_reading`."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Receive events again."""
        if self.is_paused:
            self.is_paused = False
            self._driver.continue_input()

    def end_output(self) -> None:
        """Close the transport: the server completes the closing handshake."""
        self.close()

    def when_written(self, rest: int = 0) -> asyncio.Future[None]:
        """Return a Future that is done once at most `rest` bytes are unsent."""
        future: asyncio.Future[None] = self.loop.create_future()
        if self._is_closed:
            future.set_exception(StreamClosedError())
            future.exception()
        elif self._queue.size <= rest:
            future.set_result(None)
        else:
            self._waiting.append((rest, future))
        return future

    def set_nodelay(self, value: bool) -> None:
        """Do nothing: the socket belongs to the ASGI server."""

    def closed(self) -> bool:
        """Whether the transport was closed by either side."""
        return self._is_closed

    def close(self) -> None:
        """Close the transport, which ends the call of the application."""
        if self._is_closed:
            return
        self._is_closed = True
        self._queue.clear()
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            if not future.done():
                future.set_exception(StreamClosedError())
                future.exception()
        if self._consumer is not None:
            self._consumer.connection_lost(None)
        self._driver.wake()


__all__ = ["ASGIWebSocketProtocol", "ASGIWebSocketTransport", "EventCore", "Incoming", "Outgoing"]
