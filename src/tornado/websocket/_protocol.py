"""`WebSocketProtocol13`: a WebSocket connection after its handshake, on a server or in a client.

`WebSocketProtocol13` connects these objects:

- the transport (see `tornado.iostream._interface`), which passes it the received data;
- the sans-IO protocol (`tornado._wire.ws_connection`), which decodes that data into events;
- the owner, a `.WebSocketHandler` or a `.WebSocketClientConnection`, whose callbacks are called with the
  events;
- the `.MessageReceiver`, which calls these callbacks in order;
- `.BackPressure`, while too much output waits to be sent;
- the timers (see `_timers`), if it has a deadline.

The state of the connection is its `tornado._wire.ws_state.WebSocketState`; `client_terminated` and
`server_terminated`, which programs read, are derived from it.

``write_limit`` is the high-water mark of the output. While more bytes than that wait to be sent, the Futures
of `write_message` are not done. If callbacks have sent some of the output, messages are not delivered either.
Writers and delivery continue when at most half of the limit remains.

A connection ends in one of the following ways. `on_ws_connection_close` of the owner is called once, in a
separate iteration of the event loop:

====================================  ====================================================================
the peer sends a close frame          a close frame is sent; then a server closes the stream, and a client
                                      waits for that (RFC 6455 section 7.1.1)
this side sends one (`close`)         the peer's close frame is awaited; its messages are still delivered, and
                                      a `WebSocketClosedError` of a callback that replies is ignored
the peer violates the protocol        a close frame with the reason is sent; then input is discarded until
                                      the peer closes, because a reset could discard the frame
the stream is closed                  the connection ends immediately
a callback raises an exception        a close frame (1011) is sent, without waiting for a reply
a callback is cancelled (`_abort`)    the stream is closed immediately, without a close frame
====================================  ====================================================================

Each wait in this table is limited to `CLOSE_TIMEOUT` seconds. The owner is notified after ``open`` has
finished, however long that takes.

The end of the input without a close frame means a lost connection (1006). The peer may have closed only its
sending side and still read, which HTTP permits and RFC 6455 does not. Such a peer cannot be distinguished
from one that has died, and ``on_close`` must be called to stop the callbacks that serve the connection. If
these send further messages, `WebSocketClosedError` is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._loop.tasks import done_future, keep_reference
from tornado._original_methods import OriginalMethods
from tornado._wire import ws_connection
from tornado._wire.ws_errors import MessageTooLarge
from tornado._wire.ws_frames import FIN, RSV1, Opcode, serialize_frame
from tornado._wire.ws_handshake import accept_value
from tornado._wire.ws_state import WebSocketState, WebSocketStep
from tornado.concurrent import Future
from tornado.escape import to_unicode
from tornado.log import gen_log
from tornado.web._execution._handler_lookup import describe_handler
from tornado.websocket._back_pressure import BackPressure
from tornado.websocket._errors import check_thread, closed_error
from tornado.websocket._interface import WebSocketProtocol
from tornado.websocket._masking_keys import next_masking_key
from tornado.websocket._message_receiver import MessageReceiver, log_exception
from tornado.websocket._parameters import WebSocketParams
from tornado.websocket._timers import ConnectionTimer, IdleCompressorRelease, Progress

if TYPE_CHECKING:
    from tornado._wire.ws_deflate import DeflateParameters
    from tornado._wire.ws_shared_message import SharedMessage
    from tornado.iostream._interface import Transport

# See `tornado._wire.state_machine` for the reason for these constants.
_PING = Opcode.PING
_PONG = Opcode.PONG
_TEXT = Opcode.TEXT
_BINARY = Opcode.BINARY

_CONNECTING = WebSocketState.CONNECTING
_CLOSED = WebSocketState.CLOSED
_TERMINATED = WebSocketState.TERMINATED
_OPEN = WebSocketState.OPEN
_OPENED = WebSocketStep.OPENED
_LOST = WebSocketStep.LOST
_CLOSE_SENT = WebSocketStep.CLOSE_SENT
_CLOSE_RECEIVED = WebSocketStep.CLOSE_RECEIVED
_FAULT = WebSocketStep.FAULT

#: The timeout for the peer's close frame, and for sending the remaining output before the end, in seconds.
CLOSE_TIMEOUT = 5.0
#: The close code after an exception in a callback (RFC 6455 section 7.4.1).
INTERNAL_ERROR = 1011
#: The close code when a server is drained before a restart (IANA's registry of close codes).
SERVICE_RESTART = 1012
#: The size of the output collected in one callback, in bytes, at which it is sent.
COLLECT_LIMIT = 64 * 1024

#: Close codes that represent a missing code (RFC 6455 section 7.4.1). Programs forward codes from other
#: connections, so `close` must accept these codes.
_NO_CODE = (1005, 1006, 1015)
#: The close reason for a message over the limit: Tornado's text, which clients recognize.
_TOO_BIG = "message too big"
#: The value of `_next_pong` while a pong is being sent and no further ping has arrived.
_NO_PONG = b"none"
_running_loop = asyncio._get_running_loop
#: The sans-IO protocol of all connections before the end of the handshake: nothing can be sent.
_NOT_OPEN = ws_connection.WSConnection()
_NOT_OPEN.abandon()
#: The receiver of all connections before the end of the handshake and after the end of the connection: it is
#: not used, and its counter is 0.
_NO_RECEIVER = MessageReceiver(None)  # type: ignore[arg-type]


class WebSocketProtocol13(WebSocketProtocol):
    """A connection with the protocol of RFC 6455 and the compression of RFC 7692.

    :param handler: the owner, as in `WebSocketProtocol`.
    :param mask_outgoing: whether this side is the client, which masks its frames.
    :param params: the settings, from `params_of`.
    :ivar close_code: the code of the peer's close frame; None if it had no code or has not been received.
    :ivar close_reason: the reason of the peer's close frame; None if it had no reason or has not been
        received.
    """

    FIN = FIN
    RSV1 = RSV1
    RSV2 = 0x20
    RSV3 = 0x10
    RSV_MASK = RSV1 | RSV2 | RSV3
    OPCODE_MASK = 0x0F

    __slots__ = (
        "_back_pressure",
        "_core",
        "_done",
        "_is_held",
        "_message_bytes_out",
        "_open_future",
        "_receiver",
        "_subprotocol",
        "_timer",
        "_wire_bytes_in",
        "_wire_bytes_out",
        "mask_outgoing",
        "params",
    )

    stream: Transport

    # Few connections need the following attributes at a time, so they are stored in __dict__, not in slots.
    close_code: int | None = None
    close_reason: str | None = None
    #: The function to call when all output has been sent.
    _on_drained: Callable[[], None] | None = None
    #: While a pong waits to be sent: the payload of the next pong, or `_NO_PONG`.
    _next_pong: bytes | None = None
    _closed_waiter: Future[None] | None = None
    #: The check of the compressor, if the connection has one.
    _compressor_check: IdleCompressorRelease | None = None

    def __init__(self, handler: Any, mask_outgoing: bool, params: WebSocketParams) -> None:
        super().__init__(handler)
        self.mask_outgoing: bool = mask_outgoing
        self.params: WebSocketParams = params
        self._core = _NOT_OPEN
        self._receiver = _NO_RECEIVER
        self._done: Future[None]
        #: While more than ``write_limit`` bytes wait to be sent: the senders that wait.
        self._back_pressure: BackPressure | None = None
        #: Whether the broadcast scheduler holds the output of this connection.
        self._is_held = False
        #: The task of the owner's ``open`` while it runs.
        self._open_future: Future[Any] | None = None
        self._subprotocol: str | None = None
        #: The pings and the close timeout; None if the connection has not had a deadline.
        self._timer: ConnectionTimer | None = None
        self._message_bytes_out = self._wire_bytes_in = self._wire_bytes_out = 0

    # -- starting --

    async def accept_connection(self, handler: Any) -> None:
        """Respond to a client's handshake, call ``open``, and wait until the connection is closed.

        :raises ValueError: if the request is not a valid handshake.
        """
        handler.on_ws_connection_accept(self)
        await self.wait_closed()

    def begin(
        self,
        stream: Transport,
        parameters: DeflateParameters | None,
        subprotocol: str | None,
        opening: Callable[[], Any] | None = None,
    ) -> None:
        """Take over a stream after the handshake. The callbacks run in a copy of the current context.

        :param stream: a stream without another reader; data that it has already read belongs to the first
            frames.
        :param parameters: the compression parameters agreed on; None for no compression.
        :param subprotocol: the subprotocol agreed on; None for none.
        :param opening: a function called first, when messages can be sent. Until it has finished, messages
            are not delivered, and the owner is not notified of the end of the connection.
        """
        self._core = self.make_core(parameters)
        self.stream = stream
        self._done = done_future(stream.loop)
        self._subprotocol = subprotocol
        self._receiver = receiver = MessageReceiver(self)
        if self.state is _CONNECTING:  # not if the client has disconnected during the handshake
            self.state: WebSocketState = self.state.after[_OPENED]
        stream.cork()
        try:
            stream.start_push(self)
            self.start_pinging()
            if opening is None or receiver.call(opening):
                receiver.process_next()
            elif receiver.callback_future is not None:
                self._open_future = receiver.callback_future
                self._open_future.add_done_callback(self._opened)
        finally:
            stream.uncork()

    def make_core(self, parameters: DeflateParameters | None) -> Any:
        """Return the sans-IO protocol of the connection, which a transport without frames replaces."""
        limits, policy = self.params.limits, self.params.policy
        keys = next_masking_key if self.mask_outgoing else None
        if parameters is None or policy is None:
            return ws_connection.WSConnection(limits, keys)
        return ws_connection.WSConnection(limits, keys, parameters, policy)

    def _opened(self, _: Future[Any]) -> None:
        self._open_future = None

    # -- events of the stream --

    def data_received(self, data: bytes) -> None:
        """Process the data of one read from the socket."""
        if self._is_held:
            self.release_output()
        self._wire_bytes_in += len(data)
        core = self._core
        events = core.receive_data(data)
        if events:
            self._receiver.take(events)
        if core.pending:
            self._receiver.pause_decompression()

    def eof_received(self) -> None:
        """Process the end of the input after all earlier events."""
        self._receiver.take_end()

    def end_of_input(self) -> None:
        """Process the end of the input; called after all earlier events."""
        self._core.receive_eof()
        self.state = self.state.after[_LOST]
        self._call_when_sent(self.stream.close)

    def output_drained(self) -> None:
        """Continue after all waiting output has been sent."""
        stage = self._on_drained
        if stage is not None:
            self._on_drained = None
            stage()

    def input_wanted(self) -> None:
        """Ignore an attempt to read from the stream: only this protocol may read it."""

    def connection_lost(self, error: BaseException | None) -> None:
        """Process the closure of the stream by either side."""
        self.state = self.state.after[_LOST]
        self._core.abandon()
        self._core = _NOT_OPEN
        self._receiver.discard()
        if self._on_drained is not None:
            self._on_drained = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._compressor_check is not None:
            self._compressor_check.cancel()
            self._compressor_check = None
        self.stream.loop.call_soon(self._notify_closed)

    def _notify_closed(self) -> None:
        waiter = self._closed_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._open_future is None:
            self._notify_owner()
        else:
            # Programs release in `on_close` the resources that they acquire in `open`. Jupyter, for example,
            # connects to a kernel in `open`.
            keep_reference(self._open_future).add_done_callback(self._notify_owner)

    def _notify_owner(self, _: Future[Any] | None = None) -> None:
        receiver = self._receiver
        try:
            future = receiver.run(self.handler.on_ws_connection_close, self.close_code, self.close_reason)
        except (Exception, asyncio.CancelledError):
            log_exception(self.handler)
            return
        finally:
            self._receiver = _NO_RECEIVER  # the receiver refers to this object: a reference cycle
            self._let_drain_wait(receiver.callback_future)
        if future is not None:
            keep_reference(future).add_done_callback(self._on_close_done)
            self._let_drain_wait(future)

    def _on_close_done(self, future: Future[Any]) -> None:
        """Log the exception of ``on_close`` or ``on_drain``."""
        error = None if future.cancelled() else future.exception()
        if error is not None:
            log_exception(self.handler, error)

    def wait_closed(self) -> Future[None]:
        """Return a Future that is done when the stream is closed."""
        waiter = self._closed_waiter
        if waiter is None or waiter.cancelled():
            waiter = self.stream.loop.create_future()
            if self.stream.closed():
                waiter.set_result(None)
            else:
                self._closed_waiter = waiter
        return waiter

    # -- sending --

    def write_message(self, message: str | bytes, binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text or its UTF-8 encoding; with `binary`, any bytes.
        :returns: a Future that applies back-pressure; see `.WebSocketHandler.write_message`.
        :raises WebSocketClosedError: if this side or the connection is closed.
        """
        payload = message.encode() if type(message) is str else payload_of(message, binary)
        stream = self.stream
        if stream is not None and _running_loop() is not stream.loop:
            check_thread(stream.loop, "write_message()")
        try:
            frame = self._core.message(payload, binary)
        except ValueError:
            raise closed_error(self) from None
        self._message_bytes_out += len(payload)
        self._wire_bytes_out += len(frame)
        if stream.send(frame) and stream.corked_size < COLLECT_LIMIT:
            return self._done
        return self._drain_future()

    def write_encoded(self, payload: bytes) -> None:
        """Send a text message that a protocol above this one has encoded.

        :param payload: valid UTF-8.
        :raises WebSocketClosedError: if this side or the connection is closed.
        """
        try:
            frame = self._core.message(payload)
        except ValueError:
            raise closed_error(self) from None
        self._message_bytes_out += len(payload)
        self._wire_bytes_out += len(frame)
        stream = self.stream
        if not stream.send(frame) or stream.corked_size >= COLLECT_LIMIT:
            self._apply_write_limit()

    def write_shared(self, message: SharedMessage) -> None:
        """Send a message that `.broadcast` sends to many connections.

        :raises WebSocketClosedError: if this side or the connection is closed.
        """
        core = self._core
        try:
            frame = message.plain if core.plain else core.shared(message)
        except ValueError:
            raise closed_error(self) from None
        self._message_bytes_out += len(message.payload)
        self._wire_bytes_out += len(frame)
        stream = self.stream
        if not stream.send(frame) or stream.corked_size >= COLLECT_LIMIT:
            self._apply_write_limit()

    def hold_output(self) -> bool:
        """Collect output until `release_output`. Return whether this call has changed the state."""
        if self._is_held:
            return False
        self._is_held = True
        self.stream.cork()
        return True

    def release_output(self) -> None:
        """Send the output collected since `hold_output`."""
        if self._is_held:
            self._is_held = False
            self.stream.uncork()

    def unsent_size(self) -> int:
        """Return the size of the output that waits for the peer, without collected output, in bytes."""
        stream = self.stream
        if stream is None or stream.unsent_output is None:
            return 0
        return stream.pending_output - stream.corked_size

    def when_sent(self, rest: int) -> Future[None]:
        """Return a Future that is done when at most `rest` bytes of the output so far are unsent.

        The Future raises `.StreamClosedError` if the stream is closed before that.
        """
        return self.stream.when_written(rest)

    def _transmit(self, frame: bytes) -> Future[None]:
        """Send a serialized frame."""
        self._wire_bytes_out += len(frame)
        self.stream.send(frame)
        return self._drain_future()

    def _drain_future(self) -> Future[None]:
        """Return a Future that is done when the output is below the high-water mark again."""
        back_pressure = self._apply_write_limit()
        return self._done if back_pressure is None else back_pressure.sender()

    def _apply_write_limit(self) -> BackPressure | None:
        """Return the back-pressure if more than ``write_limit`` bytes wait to be sent. If so, and a callback
        is sending, stop delivering messages until at most half of the limit remains.
        """
        stream, limit = self.stream, self.params.write_limit
        if stream.corked_size >= min(COLLECT_LIMIT, limit):
            stream.flush_output()
        if stream.pending_output <= limit:
            return None
        self._receiver.stall(self.mask_outgoing)
        if self._back_pressure is None:
            self._back_pressure = BackPressure(self)
        return self._back_pressure

    def output_resumed(self) -> None:
        """Continue the delivery of messages after the back-pressure has ended."""
        self._back_pressure = None
        if self.state is not _CLOSED:
            self._receiver.resume()

    # -- called by the receiver --

    def receive_pending(self) -> list[ws_connection.Event] | None:
        """Process input that was not decompressed yet and return its events; None if there is none."""
        return self._core.receive_data(b"") if self._core.pending else None

    def has_pending_input(self) -> bool:
        """Whether a part of the input has not been decompressed yet."""
        return self._core.pending

    def take_control(self, event: ws_connection.Event) -> None:
        """Process an event that is not a message."""
        if isinstance(event, ws_connection.Ping):
            self._handle_message(_PING.value, event.payload)
        elif isinstance(event, ws_connection.Pong):
            self._handle_message(_PONG.value, event.payload)
        elif isinstance(event, ws_connection.Close):
            self._close_received(event)
        elif isinstance(event, ws_connection.Failed):
            self._error_received(event)

    def _handle_message(self, opcode: int, data: bytes) -> None:
        """Process a ping or a pong, or a message passed by a program."""
        # Programs override this method to see pings and pongs. Some programs call it with messages; this
        # class calls it only for pings and pongs.
        handler, receiver = self.handler, self._receiver
        if opcode == _PING:
            self._send_pong(data)
            receiver.call(handler.on_ping, data)
        elif opcode == _PONG:
            self.pong_arrived()
            receiver.call(handler.on_pong, data)
        elif opcode == _TEXT:
            receiver.call(handler.on_message, data.decode())
        elif opcode == _BINARY:
            receiver.call(handler.on_message, data)

    def pong_arrived(self) -> None:
        """Record that the peer has answered a ping."""
        if self._timer is not None:
            self._timer.pong_received()

    def close_arrived(self, code: int | None, reason: str) -> None:
        """Record the peer's close code, which is available before the close frame is processed."""
        self.close_code, self.close_reason = code, reason or None

    # -- called by the timers --

    def is_backlogged(self) -> bool:
        """Whether enough input waits for delivery that reading may have paused."""
        return self._receiver.is_backlogged()

    def progress(self) -> Progress:
        """Return the progress of both directions so far."""
        waiting = self.stream.pending_output
        return Progress(self._wire_bytes_in, self._wire_bytes_out - waiting, waiting)

    def sent_size(self) -> int:
        """Return the total size of the messages sent, in bytes."""
        return self._message_bytes_out

    def release_compressor(self) -> None:
        """Release the memory of the compressor until the next message."""
        self._core.release()

    # -- settings and pings --

    @property
    def _message_bytes_in(self) -> int:
        """The total size of the messages delivered, in bytes, under Tornado's name."""
        return self._receiver.message_size

    def periodic_ping(self) -> None:
        """Send a ping, or close the connection if the last ping was not answered in time. Called by the
        timer.
        """
        timer = self._timer
        if timer is not None:
            timer.deadline_passed()
        elif self.is_closing():
            self._abort()

    def start_pinging(self) -> None:
        """Start to send pings if ``ping_interval`` is set."""
        if self.is_closing():
            return
        interval = self.params.ping_interval
        if interval:
            if self._timer is None:
                self._timer = ConnectionTimer(self)
            self._timer.set(interval)
        if self._compressor_check is None and self._core.compresses:
            self._compressor_check = IdleCompressorRelease(self)

    def _set_deadline(self, seconds: float) -> None:
        """Set the time of the next ping or, if the connection is closing, of its end."""
        if self._timer is None:
            if self.stream.closed():
                return
            self._timer = ConnectionTimer(self)
        self._timer.set(seconds)

    def _on_terminated_set(self) -> None:
        if self.state is _TERMINATED and self.stream is not None:
            self._set_deadline(CLOSE_TIMEOUT)
        elif self.state is _OPEN and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.start_pinging()

    def set_nodelay(self, x: bool) -> None:
        """Set TCP_NODELAY: whether small messages are sent immediately or delayed by Nagle's algorithm."""
        self.stream.set_nodelay(x)

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that both sides agreed on, or None."""
        return self._subprotocol

    @property
    def ping_interval(self) -> float:
        """The interval between pings, in seconds; 0 for no pings."""
        return self.params.ping_interval

    @property
    def ping_timeout(self) -> float:
        """The timeout for a pong, in seconds, at most `ping_interval`; 0 for no timeout."""
        return self.params.ping_timeout

    @staticmethod
    def ping_sleep_time(*, last_ping_time: float, interval: float, now: float) -> float:
        """Return the time from `now` until the next ping is due, in seconds."""
        return max(0, last_ping_time + interval - now)

    @staticmethod
    def compute_accept_value(key: str | bytes) -> str:
        """Return the ``Sec-WebSocket-Accept`` for a ``Sec-WebSocket-Key`` (RFC 6455 section 1.3)."""
        return accept_value(to_unicode(key))

    def _write_frame(self, fin: bool, opcode: int, data: bytes, flags: int = 0) -> Future[None]:
        """Send a single frame, such as a pong."""
        key = next_masking_key() if self.mask_outgoing else b""
        return self._transmit(serialize_frame((FIN if fin else 0) | flags | opcode, data, key))

    def write_ping(self, data: bytes) -> None:
        """Send a ping.

        :param data: the payload, at most 125 bytes, with which ``on_pong`` is called after the reply.
        :raises ValueError: if `data` is longer.
        :raises WebSocketClosedError: if this side or the connection is closed.
        """
        if not self._core.state.sends:
            raise closed_error(self)
        check_thread(self.stream.loop, "ping()")
        _ = self._transmit(self._core.ping(data))

    def _send_pong(self, payload: bytes) -> None:
        """Send a pong after the previous pong has been sent. If several pings arrive before that, only the
        last of them is answered (RFC 6455 section 5.5.3).
        """
        if self._next_pong is not None:
            self._next_pong = payload
            return
        if not self._core.state.sends:
            return
        written = self._write_frame(True, _PONG.value, payload)
        if not written.done():
            self._next_pong = _NO_PONG
            written.add_done_callback(self._pong_sent)

    def _pong_sent(self, written: Future[None]) -> None:
        payload, self._next_pong = self._next_pong, None
        if payload is not None and payload is not _NO_PONG:
            self._send_pong(payload)

    # -- closing --

    def is_closing(self) -> bool:
        """Whether either side has closed the connection."""
        return self.state is not _OPEN or self.stream.closed()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start the closing handshake; the peer has `CLOSE_TIMEOUT` seconds to reply. A second call does
        nothing.

        :param code: a close code of RFC 6455 section 7.4, or 3000 to 4999. 1005, 1006 and 1015, which a
            program may have received from another connection, are treated as None.
        :param reason: a description for the peer, cut to 123 bytes of UTF-8.
        :raises ValueError: if the code must not be sent.
        """
        if self.state.closed_here or self.stream is None:
            return
        check_thread(self.stream.loop, "close()")
        if code in _NO_CODE:
            code = None
        frame = self._core.close(code, ws_connection.truncated_reason(reason or ""))
        self.state = self.state.after[_CLOSE_SENT]
        if frame:
            self._wire_bytes_out += len(frame)
            self.stream.send(frame)
        if self.state is _CLOSED:
            self._finish()
        else:
            self._set_deadline(CLOSE_TIMEOUT)

    def _close_received(self, event: ws_connection.Close) -> None:
        """Process the peer's close frame: reply to it, or complete the closing handshake of this side."""
        self.close_arrived(event.code, event.reason)
        self.state = self.state.after[_CLOSE_RECEIVED]
        if not self.state.closed_here:
            self.close(event.code)
        else:
            self._finish()

    def _error_received(self, event: ws_connection.Failed) -> None:
        """Fail the connection after a violation by the peer (RFC 6455 section 7.1.7)."""
        self.record_close_error("error of the peer (close code %d): %s", event.code, event.error)
        self.state = self.state.after[_FAULT]
        reason = _TOO_BIG if event.code == MessageTooLarge.close_code else str(event.error)
        frame = self._core.close(event.code, ws_connection.truncated_reason(reason))
        if not self.state.closed_here:
            self.state = self.state.after[_CLOSE_SENT]
        self._wire_bytes_out += len(frame)
        self.stream.send(frame)
        self._call_when_sent(self._end_output)

    def _finish(self) -> None:
        """Close the stream after both close frames. A client waits for the server to close it."""
        if self.mask_outgoing:
            self._set_deadline(CLOSE_TIMEOUT)
        else:
            self._call_when_sent(self.stream.close)

    @property
    def server_params(self) -> object:
        """The parameters of the HTTP server that has accepted this connection, which identify the server;
        None for a client.
        """
        if self.mask_outgoing:
            return None
        request = getattr(self.handler, "request", None)  # an owner on another transport has none
        return getattr(getattr(request, "connection", None), "params", None)

    def close_with_server(self) -> Future[None]:
        """Close the connection with 1001 without waiting for a reply; return a Future that is done when the
        stream is closed.
        """
        closed = self.wait_closed()
        self.close(1001)
        self._call_when_sent(self.stream.close)
        return closed

    # -- the drain of the server; see `tornado._http_server_drain.LongLivedConnection` --

    #: It is a WebSocket, not an event stream.
    is_websocket = True

    def notify_drain(self) -> Future[Any] | None:
        """Call ``on_drain`` of the handler; return its Future if it is awaitable."""
        if self.is_closing():
            return None
        try:
            notify = self.handler.on_drain if self._open_future is None else self._notify_when_open
            future = self._receiver.run(notify)
        except (Exception, asyncio.CancelledError):
            log_exception(self.handler)
            return None
        if future is not None:
            keep_reference(future).add_done_callback(self._on_close_done)
        return future

    async def _notify_when_open(self) -> None:
        """Call ``on_drain`` of the handler after ``open`` has finished, unless the connection has closed."""
        if self._open_future is not None:
            await asyncio.wait([self._open_future])
        if not self.is_closing():
            result = self.handler.on_drain()
            if result is not None:
                await result

    def end_for_drain(self, retry: int | None) -> bool:
        """Close the connection with 1012; return False if it is closed or closing already."""
        if self.is_closing():
            return False
        self.close(SERVICE_RESTART)
        return True

    def describe(self) -> str:
        """Return a description of the connection for the log."""
        return describe_handler(self.handler)

    def _let_drain_wait(self, future: Future[Any] | None) -> None:
        """Let a drain of the server wait for a callback that runs although the connection is closed."""
        drain = getattr(self.server_params, "drain", None)
        if drain is not None and future is not None:
            drain.wait_for(future, self.describe)

    def record_close_error(self, text: str, *args: object) -> None:
        """Store and log the reason why this side ends the connection.

        `close_code` and `close_reason` contain only the values that the peer sent.
        """
        self.handler.close_error = text % args
        gen_log.debug("closing %r: " + text, self.handler, *args)

    def close_after_exception(self) -> None:
        """Close the connection with 1011 (internal error) after a callback has raised an exception."""
        frame = self._core.close(INTERNAL_ERROR)
        self._core.abandon()
        self.state = self.state.after[_LOST]
        self._wire_bytes_out += len(frame)
        self.stream.send(frame)
        self._call_when_sent(self.stream.close)

    def _call_when_sent(self, then: Callable[[], None]) -> None:
        """Call `then` when all output has been sent."""
        stream = self.stream
        stream.flush_output()
        if not stream.pending_output:
            then()
            return
        self._on_drained = then
        self._set_deadline(CLOSE_TIMEOUT)

    def _end_output(self) -> None:
        """Half-close the stream and wait for the peer to close it."""
        self._set_deadline(CLOSE_TIMEOUT)
        self.stream.end_output()
        self.stream.resume_reading()


def payload_of(message: Any, binary: bool) -> bytes:
    """Return the payload of a message.

    :param binary: whether bytes may be other than UTF-8.
    :raises TypeError: if the message is neither text nor bytes.
    :raises ValueError: if the message is not valid UTF-8, and `binary` is false.
    """
    if isinstance(message, bytes):
        if not binary and not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"message is not valid UTF-8: pass binary=True to send bytes ({error})"
                ) from None
        return message
    if isinstance(message, str):
        return message.encode()
    raise TypeError(
        f"message must be str or bytes (for handlers and clients, also dict), got {type(message).__name__}"
    )


#: The method that faster ways to send a message bypass, unless a program has replaced it.
WRITE_MESSAGE = OriginalMethods(WebSocketProtocol13, "write_message")

__all__ = ["CLOSE_TIMEOUT", "WRITE_MESSAGE", "WebSocketProtocol13", "payload_of"]
