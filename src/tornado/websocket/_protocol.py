"""`WebSocketProtocol13`: a WebSocket connection after its handshake, on a server or in a client.

`WebSocketProtocol13` connects three objects: a transport (see `_transport`), which passes it the received
data; the sans-IO protocol (`tornado._wire.ws_connection`), which decodes that data into events; and the
owner, a `.WebSocketHandler` or a `.WebSocketClientConnection`, whose callbacks are called with the events
(see `_message_receiver`).

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
import contextvars
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._tasks import done_future, keep_reference
from tornado._wire import ws_connection
from tornado._wire.ws_errors import MessageTooLarge
from tornado._wire.ws_frames import FIN, RSV1, Opcode, serialize_frame
from tornado._wire.ws_handshake import accept_value
from tornado.concurrent import Future
from tornado.escape import to_unicode
from tornado.http1connection._deadline_scheduler import NEVER
from tornado.log import gen_log
from tornado.websocket import _timers
from tornado.websocket._errors import check_thread, closed_error
from tornado.websocket._masking_keys import next_masking_key
from tornado.websocket._message_receiver import CLOSED, MessageReceiver
from tornado.websocket._parameters import WebSocketParams

if TYPE_CHECKING:
    from tornado._wire.ws_deflate import DeflateParameters
    from tornado._wire.ws_shared_message import SharedMessage
    from tornado.websocket._transport import Transport

#: The timeout for the peer's close frame, and for sending the remaining output before the end, in seconds.
CLOSE_TIMEOUT = 5.0
#: The close code after an exception in a callback (RFC 6455 section 7.4.1).
INTERNAL_ERROR = 1011
#: The size of the output collected in one callback, in bytes, at which it is sent.
COLLECT_LIMIT = 64 * 1024

#: Close codes that represent a missing code (RFC 6455 section 7.4.1). Programs forward codes from other
#: connections, so `close` must accept these codes.
_NO_CODE = (1005, 1006, 1015)
#: The close reason for a message over the limit: Tornado's text, which clients recognise.
_TOO_BIG = "message too big"
#: The value of `_next_pong` while a pong is being sent and no further ping has arrived.
_NO_PONG = b"none"
_running_loop = asyncio._get_running_loop


class WebSocketProtocol13(MessageReceiver):
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
        "_deadline",
        "_done",
        "_full",
        "_idle_compressor",
        "_message_bytes_out",
        "_open_future",
        "_pinged",
        "_subprotocol",
        "_wire_bytes_out",
        "mask_outgoing",
        "params",
    )

    client_terminated: bool
    server_terminated: bool
    close_code: int | None
    close_reason: str | None

    # Few connections need the following attributes at a time, so they are stored in __dict__, not in slots.
    #: The function to call when all output has been sent.
    _on_drained: Callable[[], None] | None = None
    #: While a pong waits to be sent: the payload of the next pong, or `_NO_PONG`.
    _next_pong: bytes | None = None
    _closed_waiter: Future[None] | None = None
    #: The Futures returned by `write_message` that are not done.
    _waiting_writes: list[Future[None]] | None = None

    def __init__(self, handler: Any, mask_outgoing: bool, params: WebSocketParams) -> None:
        super().__init__(handler)
        self.mask_outgoing: bool = mask_outgoing
        self.params: WebSocketParams = params
        self._done: Future[None]
        #: Whether more than ``write_limit`` bytes wait to be sent.
        self._full = False
        #: The task of the owner's ``open`` while it runs.
        self._open_future: Future[Any] | None = None
        self._subprotocol: str | None = None
        # These belong to `_timers`.
        self._deadline = NEVER
        self._pinged: tuple[int, int, int] | None = None
        self._idle_compressor: _timers.IdleCompressorRelease | None = None
        self._message_bytes_out = self._wire_bytes_out = 0

    # -- starting --

    async def accept_connection(self, handler: Any) -> None:
        """Respond to a client's handshake, call ``open``, and wait until the connection is closed.

        :raises ValueError: if the request is not a valid handshake.
        """
        handler._accept(self)
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
        params = self.params
        policy = params.policy
        keys = next_masking_key if self.mask_outgoing else None
        if parameters is None or policy is None:
            self._core = ws_connection.WSConnection(params.limits, keys)
        else:
            self._core = ws_connection.WSConnection(params.limits, keys, parameters, policy)
        self.stream = stream
        self._done = done_future(stream._loop)
        self._subprotocol = subprotocol
        self._context = contextvars.copy_context()
        stream._cork()
        try:
            self._backlog = []
            stream._start_push(self)
            self.start_pinging()
            if opening is None or self._call(opening):
                self._process_next()
            elif self._callback_future is not None:
                self._open_future = self._callback_future
                self._open_future.add_done_callback(self._opened)
        finally:
            stream._uncork()

    def _opened(self, _: Future[Any]) -> None:
        self._open_future = None

    # -- events of the stream --

    def _end_of_input(self) -> None:
        self.client_terminated = True
        self._core.receive_eof()
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
        self.client_terminated = self.server_terminated = True
        self._core = CLOSED
        self._backlog = []
        if self._on_drained is not None:
            self._on_drained = None
        _timers.remove(self)
        self.stream._loop.call_soon(self._notify_closed)

    def _notify_closed(self) -> None:
        waiter = self._closed_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._open_future is None:
            self._notify_owner()
        else:
            # Programs release in `on_close` what they acquire in `open`; Jupyter connects to a kernel there.
            keep_reference(self._open_future).add_done_callback(self._notify_owner)

    def _notify_owner(self, _: Future[Any] | None = None) -> None:
        try:
            result = self._context.run(
                self.handler.on_ws_connection_close, self.close_code, self.close_reason
            )
            future = self._future_of(result) if inspect.isawaitable(result) else None
        except (Exception, asyncio.CancelledError):
            self._log_exception()
            return
        if future is not None:
            keep_reference(future).add_done_callback(self._on_close_done)

    def _on_close_done(self, future: Future[Any]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._log_exception(error)

    def wait_closed(self) -> Future[None]:
        """Return a Future that is done when the stream is closed."""
        waiter = self._closed_waiter
        if waiter is None or waiter.cancelled():
            waiter = self.stream._loop.create_future()
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
        payload = message.encode() if type(message) is str else _bytes_of(message, binary)
        stream = self.stream
        if stream is not None and _running_loop() is not stream._loop:
            check_thread(stream._loop, "write_message()")
        try:
            frame = self._core.message(payload, binary)
        except ValueError:
            raise closed_error(self) from None
        self._message_bytes_out += len(payload)
        self._wire_bytes_out += len(frame)
        if stream._send(frame) and stream._collected_size < COLLECT_LIMIT:
            return self._done
        return self._drain_future()

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
        if not stream._send(frame) or stream._collected_size >= COLLECT_LIMIT:
            self._apply_write_limit()

    def hold_output(self) -> bool:
        """Collect output until `release_output`. Return whether this call has changed the state."""
        if self._is_held:
            return False
        self._is_held = True
        self.stream._cork()
        return True

    def release_output(self) -> None:
        """Send the output collected since `hold_output`."""
        if self._is_held:
            self._is_held = False
            self.stream._uncork()

    def _transmit(self, frame: bytes) -> Future[None]:
        """Send a serialized frame."""
        self._wire_bytes_out += len(frame)
        self.stream._send(frame)
        return self._drain_future()

    def _drain_future(self) -> Future[None]:
        """Return a Future that is done when the output is below the high-water mark again."""
        if not self._apply_write_limit():
            return self._done
        future: Future[None] = self.stream._loop.create_future()
        if self._waiting_writes is None:
            self._waiting_writes = []
        self._waiting_writes.append(future)
        return future

    def _apply_write_limit(self) -> bool:
        """Return whether more than ``write_limit`` bytes wait to be sent. If so, and a callback is sending,
        stop delivering messages until at most half of the limit remains.
        """
        stream, limit = self.stream, self.params.write_limit
        if stream._collected_size >= min(COLLECT_LIMIT, limit):
            stream._flush_now()
        if stream._pending_output <= limit:
            return False
        if not self._stalled and self._is_callback_output():
            self._stalled = True
        if not self._full:
            self._full = True
            self._wait_for_drain()
        return True

    def _is_callback_output(self) -> bool:
        """Whether the current output is sent by a callback."""
        blocked = self._callback_future
        if self._delivering or blocked is None:
            return self._delivering
        if isinstance(blocked, asyncio.Task):
            return asyncio.current_task(self.stream._loop) is blocked
        # The callback has returned a Future. In a client, this is the Future of a full message queue, and no
        # callback is running.
        return not self.mask_outgoing

    def _wait_for_drain(self) -> None:
        self.stream._written(self.params.write_limit // 2).add_done_callback(self._resume_senders)

    def _resume_senders(self, written: Future[None]) -> None:
        """Resume the senders after enough output has been sent, or the stream was closed."""
        lost = written.cancelled() or written.exception() is not None
        if not lost and self.stream._pending_output > self.params.write_limit // 2:  # more was sent since
            self._wait_for_drain()
            return
        self._full = self._stalled = False
        senders, self._waiting_writes = self._waiting_writes, None
        for future in senders or ():
            if future.done():
                continue
            if not lost:
                future.set_result(None)
            else:
                future.set_exception(closed_error(self))
                future.exception()  # mark it as retrieved: programs need not await it
        if self._callback_future is None:
            self._process_next()

    def periodic_ping(self) -> None:
        """Send a ping, or close the connection if the last ping was not answered in time. Called by the
        timer.
        """
        _timers.deadline_expired(self)

    _expired = periodic_ping

    def start_pinging(self) -> None:
        """Start to send pings if ``ping_interval`` is set."""
        _timers.start(self)

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
        if not self._core.sendable:
            raise closed_error(self)
        check_thread(self.stream._loop, "ping()")
        _ = self._transmit(self._core.ping(data))

    def _send_pong(self, payload: bytes) -> None:
        """Send a pong after the previous pong has been sent. If several pings arrive before that, only the
        last of them is answered (RFC 6455 section 5.5.3).
        """
        if self._next_pong is not None:
            self._next_pong = payload
            return
        if not self._core.sendable:
            return
        written = self._write_frame(True, Opcode.PONG.value, payload)
        if not written.done():
            self._next_pong = _NO_PONG
            written.add_done_callback(self._pong_sent)

    def _pong_sent(self, written: Future[None]) -> None:
        payload, self._next_pong = self._next_pong, None
        if payload is not None and payload is not _NO_PONG:
            self._send_pong(payload)

    def _pong_received(self) -> None:
        _timers.pong_received(self)

    def _compresses(self) -> bool:
        return self._core._deflate is not None

    # -- closing --

    def is_closing(self) -> bool:
        """Whether either side has closed the connection."""
        return self.client_terminated or self.server_terminated or self.stream is None or self.stream.closed()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Start the closing handshake; the peer has `CLOSE_TIMEOUT` seconds to reply. A second call does
        nothing.

        :param code: a close code of RFC 6455 section 7.4, or 3000 to 4999. 1005, 1006 and 1015, which a
            program may have received from another connection, are treated as None.
        :param reason: a description for the peer, cut to 123 bytes of UTF-8.
        :raises ValueError: if the code must not be sent.
        """
        if self.server_terminated or self.stream is None:
            return
        check_thread(self.stream._loop, "close()")
        if code in _NO_CODE:
            code = None
        frame = self._core.close(code, ws_connection.truncated_reason(reason or ""))
        self.server_terminated = True
        if frame:
            self._wire_bytes_out += len(frame)
            self.stream._send(frame)
        if self.client_terminated:
            self._finish()
        else:
            _timers.close_within(self, CLOSE_TIMEOUT)

    def _close_received(self, event: ws_connection.Close) -> None:
        """Process the peer's close frame: reply to it, or complete the closing handshake of this side."""
        self.close_code, self.close_reason = event.code, event.reason or None
        self.client_terminated = True
        if not self.server_terminated:
            self.close(event.code)
        else:
            self._finish()

    def _error_received(self, event: ws_connection.Failed) -> None:
        """Fail the connection after a violation by the peer (RFC 6455 section 7.1.7)."""
        self.record_close_error("error of the peer (close code %d): %s", event.code, event.error)
        self.client_terminated = True
        reason = _TOO_BIG if event.code == MessageTooLarge.close_code else str(event.error)
        frame = self._core.close(event.code, ws_connection.truncated_reason(reason))
        self.server_terminated = True
        self._wire_bytes_out += len(frame)
        self.stream._send(frame)
        self._call_when_sent(self._end_output)

    def _finish(self) -> None:
        """Close the stream after both close frames. A client waits for the server to close it."""
        if self.mask_outgoing:
            _timers.close_within(self, CLOSE_TIMEOUT)
        else:
            self._call_when_sent(self.stream.close)

    @property
    def _server_params(self) -> object:
        """The parameters of the HTTP server that has accepted this connection, which identify the server;
        None for a client.
        """
        if self.mask_outgoing:
            return None
        return getattr(self.handler.request.connection, "params", None)

    def _close_with_server(self) -> Future[None]:
        """Close the connection with 1001 without waiting for a reply; return a Future that is done when the
        stream is closed.
        """
        closed = self.wait_closed()
        self.close(1001)
        self._call_when_sent(self.stream.close)
        return closed

    def record_close_error(self, text: str, *args: object) -> None:
        """Store and log the reason why this side ends the connection.

        `close_code` and `close_reason` hold only what the peer sent.
        """
        self.handler.close_error = text % args
        gen_log.debug("closing %r: " + text, self.handler, *args)

    def _close_after_exception(self) -> None:
        """Close the connection with 1011 (internal error) after a callback has raised an exception."""
        frame = self._core.close(INTERNAL_ERROR)
        self._core = CLOSED
        self.client_terminated = self.server_terminated = True
        self._wire_bytes_out += len(frame)
        self.stream._send(frame)
        self._call_when_sent(self.stream.close)

    def _call_when_sent(self, then: Callable[[], None]) -> None:
        """Call `then` when all output has been sent."""
        stream = self.stream
        stream._flush_now()
        if not stream._pending_output:
            then()
            return
        self._on_drained = then
        _timers.close_within(self, CLOSE_TIMEOUT)

    def _end_output(self) -> None:
        """Half-close the stream and wait for the peer to close it."""
        _timers.close_within(self, CLOSE_TIMEOUT)
        self.stream._end_output()
        self.stream._resume_reading()


def _bytes_of(message: Any, binary: bool) -> bytes:
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


__all__ = ["CLOSE_TIMEOUT", "WebSocketProtocol13"]
