"""One WebSocket connection, from the end of its handshake to its last byte, on either side.

`WebSocketProtocol13` stands between a byte duplex (see `_duplex`), which hands it what arrives, the sans-IO
protocol (`tornado._wire.ws`), which makes events of that, and an owner, whose callbacks get them: a
`.WebSocketHandler` or a `.WebSocketClientConnection`.

Nothing here waits. A callback that is a plain function is called in the loop's own callback, and all that it
sends leaves in one send. Of one that returns an awaitable the rest is run in a task; until it is done, what
was read behind its message is kept and no more is read: messages are handled in their order, and a slow
handler slows down its peer.

Output is bounded by ``write_limit``: while more than that waits for the peer, the Futures of `write_message`
wait, and none of the peer's messages is read, so that who sends and never reads stops being served.

An end comes in one of these ways, and `on_ws_connection_close` of the owner is called once, in a turn of the
loop of its own:

====================================  ====================================================================
the peer's close frame                it is answered; a server closes the stream then (RFC 6455 section
                                      7.1.1), a client waits for that
our close frame (`close`)             the peer's is awaited; its messages are still delivered, and a callback
                                      that answers one (`WebSocketClosedError`) does no harm
a fault of the peer                   a close frame that says which; then input is thrown away until the
                                      peer closes, as a reset could overtake the frame
the stream ends or breaks             at once
a callback raises (`_abort`)          at once, without a close frame
====================================  ====================================================================

Whatever is waited for there, it is for `CLOSE_TIMEOUT` seconds at most.
"""

from __future__ import annotations

import abc
import asyncio
import contextvars
import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado._tasks import done_future, run_eagerly
from tornado._wire import ws
from tornado._wire.ws_errors import MessageTooLarge
from tornado._wire.ws_frames import FIN, RSV1, Opcode, serialize_frame
from tornado._wire.ws_handshake import accept_value
from tornado.concurrent import Future
from tornado.escape import to_unicode
from tornado.gen import convert_yielded
from tornado.http1connection._watch import NEVER
from tornado.log import app_log, gen_log
from tornado.websocket import _keepalive
from tornado.websocket._errors import WebSocketClosedError
from tornado.websocket._masks import next_mask
from tornado.websocket._params import WebSocketParams

if TYPE_CHECKING:
    from tornado._wire.ws_deflate import DeflateParameters
    from tornado._wire.ws_shared import SharedMessage
    from tornado.websocket._duplex import Duplex

#: Seconds that a peer has to answer a close frame, or to take what waits for it before the end.
CLOSE_TIMEOUT = 5.0
#: Bytes that may be collected in one callback before they go out.
COLLECT_LIMIT = 64 * 1024

#: What all connections have that are over: nothing can be sent, and nothing is read.
_OVER = ws.Connection()
_OVER.receive_eof()
#: Close codes that stand for the lack of one (RFC 6455 section 7.4.1). Programs pass on what they were told.
_NO_CODE = (1005, 1006, 1015)
#: Messages that one connection handles before others have their turn; some thousand may come at once.
BATCH = 128
#: What is read at most while a callback takes its time, where it must be seen whether the peer is there:
#: events, and the bytes or characters of their messages.
AHEAD = 1024
AHEAD_SIZE = 256 * 1024
#: What stands in a backlog for the end of input.
_END: Any = object()
#: Why a message is refused that is over the limit; clients of Tornado know it by these words.
_TOO_BIG = "message too big"
#: What stands for "a pong is on its way, and none is to follow".
_NO_PONG = b"none"
#: Asynchronous ``on_close`` callbacks that are under way; the loop itself knows tasks but weakly.
_last_words: set[Future[Any]] = set()


class WebSocketProtocol(abc.ABC):
    """What a handler knows as ``ws_connection``: a connection of any version of the protocol.

    :param handler: the owner; has ``on_message``, ``on_ping``, ``on_pong``, ``on_ws_connection_close`` and
        ``log_exception``.
    :ivar stream: the byte stream, None before the handshake is done.
    :ivar client_terminated: the peer has closed.
    :ivar server_terminated: this side has closed.
    """

    __slots__ = ("__dict__", "__weakref__", "client_terminated", "handler", "server_terminated", "stream")

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.stream: Any = None
        self.client_terminated = False
        self.server_terminated = False

    def on_connection_close(self) -> None:
        """The stream is closed: nothing can be sent or read any more."""
        self._abort()

    def _abort(self) -> None:
        """End at once, without a close frame."""
        self.client_terminated = self.server_terminated = True
        if self.stream is not None:
            self.stream.close()

    @abc.abstractmethod
    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin, or answer, the closing handshake."""

    @abc.abstractmethod
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""

    @abc.abstractmethod
    async def accept_connection(self, handler: Any) -> None:
        """Answer a client's handshake, call ``open``, and wait until the connection is closed."""

    @abc.abstractmethod
    def write_message(self, message: str | bytes, binary: bool = False) -> Future[None]:
        """Send a message."""

    @property
    @abc.abstractmethod
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that both sides agreed on."""

    @abc.abstractmethod
    def write_ping(self, data: bytes) -> None:
        """Send a ping."""

    @abc.abstractmethod
    def start_pinging(self) -> None:
        """Begin to see whether the peer is still there."""

    @abc.abstractmethod
    def set_nodelay(self, x: bool) -> None:
        """Send small messages at once (True), or have the system collect them."""


class WebSocketProtocol13(WebSocketProtocol):
    """The protocol of RFC 6455 with the compression of RFC 7692.

    :param handler: as in `WebSocketProtocol`.
    :param mask_outgoing: this side is the client.
    :param params: from `params_of`.
    :ivar close_code: from the peer's close frame; None if there was none, or it had none.
    :ivar close_reason: likewise.
    """

    FIN = FIN
    RSV1 = RSV1
    RSV2 = 0x20
    RSV3 = 0x10
    RSV_MASK = RSV1 | RSV2 | RSV3
    OPCODE_MASK = 0x0F

    __slots__ = (
        "_backlog",
        "_blocked",
        "_context",
        "_core",
        "_deadline",
        "_done",
        "_full",
        "_is_held",
        "_message_bytes_in",
        "_message_bytes_out",
        "_pinged",
        "_released_at",
        "_subprotocol",
        "_wire_bytes_in",
        "_wire_bytes_out",
        "close_code",
        "close_reason",
        "mask_outgoing",
        "params",
    )

    stream: Duplex

    # Few connections have these at a time, and no room for them until they do.
    #: What is to happen when nothing waits for the peer any more.
    _stage: Callable[[], None] | None = None
    #: While a pong waits to leave: the payload of the next one, or `_NO_PONG`.
    _late_pong: bytes | None = None
    _closed_waiter: Future[None] | None = None

    def __init__(self, handler: Any, mask_outgoing: bool, params: WebSocketParams) -> None:
        super().__init__(handler)
        self.mask_outgoing = mask_outgoing
        self.params = params
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._core = _OVER  # until the handshake is done
        self._done: Future[None]
        self._context: contextvars.Context
        self._subprotocol: str | None = None
        #: What has been read and has to wait, or None.
        self._backlog: list[ws.Event] | None = None
        #: The awaitable of the callback that is under way.
        self._blocked: Future[Any] | None = None
        #: More than ``write_limit`` waits for the peer.
        self._full = False
        #: A broadcast has others to serve first.
        self._is_held = False
        # The keep-alive's: see there.
        self._deadline = NEVER
        self._pinged: tuple[int, int] | None = None
        self._released_at = 0
        self._message_bytes_in = self._message_bytes_out = 0
        self._wire_bytes_in = self._wire_bytes_out = 0

    # -- beginning --

    async def accept_connection(self, handler: Any) -> None:
        """Answer a client's handshake, call ``open``, and wait until the connection is closed.

        :raises ValueError: if the request is no handshake.
        """
        handler._accept(self)
        await self.wait_closed()

    def begin(
        self,
        stream: Duplex,
        parameters: DeflateParameters | None,
        subprotocol: str | None,
        opening: Callable[[], Any] | None = None,
    ) -> None:
        """Take over a stream: the handshake is done. The callbacks run in a copy of the current context.

        :param stream: in nobody's hands; what it has read already is the peer's first frames.
        :param parameters: what was agreed on about compression.
        :param opening: called first, when messages can be sent; nothing is delivered until it is done.
        """
        params = self.params
        policy = params.policy
        keys = next_mask if self.mask_outgoing else None
        if parameters is None or policy is None:
            self._core = ws.Connection(params.limits, keys)
        else:
            self._core = ws.Connection(params.limits, keys, parameters, policy)
        self.stream = stream
        self._done = done_future(stream._loop)
        self._subprotocol = subprotocol
        self._context = contextvars.copy_context()
        stream._cork()
        try:
            self._backlog = []
            stream._start_push(self)
            stream._pause_reading()
            self.start_pinging()
            if opening is None or self._call(opening):
                self._go_on()
        finally:
            stream._uncork()

    # -- what the stream tells --

    def data_received(self, data: bytes) -> None:
        """Take the bytes of one receive."""
        if self._is_held:
            self.let_go()
        self._wire_bytes_in += len(data)
        core = self._core
        events = core.receive_data(data)
        if self._backlog is not None:
            self._backlog += events
            if self._blocked is not None:
                self._look_ahead(events)
        elif events:
            self._deliver(events)
        if core.pending:
            self._wait_for_turn()

    def eof_received(self) -> None:
        """The peer has closed its sending side."""
        if self._blocked is not None and self._backlog:
            self._backlog.append(_END)
            return
        self.client_terminated = True
        self._core.receive_eof()
        self._when_sent(self.stream.close)

    def output_drained(self) -> None:
        """Nothing waits for the peer any more."""
        stage = self._stage
        if stage is not None:
            self._stage = None
            stage()
        elif self._full:
            self._full = False
            if self._blocked is None:
                self._go_on()

    def input_wanted(self) -> None:
        """Nobody else may read here."""

    def connection_lost(self, error: BaseException | None) -> None:
        """The stream is closed, by whomever."""
        self.client_terminated = self.server_terminated = True
        self._core = _OVER
        self._backlog = []
        if self._stage is not None:
            self._stage = None
        _keepalive.forget(self)
        self.stream._loop.call_soon(self._tell_closed)

    def _tell_closed(self) -> None:
        waiter = self._closed_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        try:
            result = self._context.run(
                self.handler.on_ws_connection_close, self.close_code, self.close_reason
            )
            future = self._future_of(result) if inspect.isawaitable(result) else None
        except Exception:
            self._log_exception()
            return
        if future is not None:
            _last_words.add(future)
            future.add_done_callback(self._last_word_said)

    def _last_word_said(self, future: Future[Any]) -> None:
        _last_words.discard(future)
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self._log_exception(error)

    def wait_closed(self) -> Future[None]:
        """A Future that is done when the stream is closed."""
        waiter = self._closed_waiter
        if waiter is None or waiter.cancelled():
            waiter = self.stream._loop.create_future()
            if self.stream.closed():
                waiter.set_result(None)
            else:
                self._closed_waiter = waiter
        return waiter

    # -- delivering --

    def _deliver(self, events: list[ws.Event]) -> None:
        """Give events to the owner, until one of them has to be waited for, or others are to have a turn."""
        event: Any
        left = BATCH
        for position, event in enumerate(events):
            kind = type(event)
            if kind is str:
                self._message_bytes_in += len(event) if event.isascii() else len(event.encode())
                goes_on = self._call(self.handler.on_message, event)
            elif kind is bytes:
                self._message_bytes_in += len(event)
                goes_on = self._call(self.handler.on_message, event)
            elif kind is ws.Failed and position:
                # Tasks that wait for the messages before it answer them first, as callbacks have done.
                self._backlog = events[position:]
                self.stream._pause_reading()
                self.stream._loop.call_soon(self._take_turn)
                return
            else:
                goes_on = self._take_control(event)
            left -= 1
            if not goes_on or self._full or not left:
                self._backlog = events[position + 1 :]
                self.stream._pause_reading()
                if not left:
                    self.stream._loop.call_soon(self._take_turn)
                return

    def _call(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call the owner; False if what follows has to wait, or the connection is over."""
        try:
            result = self._context.run(callback, *args)
            if result is None:
                return self._core is not _OVER
            future = self._future_of(result)
        except (Exception, asyncio.CancelledError) as error:
            return self._survives(error)
        if future.done():
            return self._succeeded(future)
        self._blocked = future
        future.add_done_callback(self._unblock)
        if self.server_terminated or self._pinged is not None:
            self.stream._loop.call_soon(self.read_ahead)
        return False

    def _future_of(self, result: Any) -> Future[Any]:
        """What goes on behind the owner's call that has returned this."""
        if asyncio.iscoroutine(result):
            return run_eagerly(self.stream._loop, result, self._context)
        future: Future[Any] = convert_yielded(result)
        return future

    def _unblock(self, future: Future[Any]) -> None:
        """The callback that everything waited for is done."""
        self._blocked = None
        if self._succeeded(future) and not self._full:
            self._go_on()

    def _succeeded(self, future: Future[Any]) -> bool:
        error = _error_of(future)
        if error is not None:
            # Who has cancelled a task knows why, and that it was cancelled.
            if not (future.cancelled() and getattr(future, "cancelling", int)()):
                return self._survives(error)
            self._abort()
        return self._core is not _OVER

    def _survives(self, error: BaseException) -> bool:
        """Whether the connection goes on although a callback has raised this: behind our own close, who
        answers a message that was under way does no harm.
        """
        over = self._core is _OVER
        if self.server_terminated and not over and isinstance(error, WebSocketClosedError):
            return True
        self._log_exception(error)
        self._abort()
        return False

    def _go_on(self) -> None:
        """Deliver what had to wait, and read again."""
        if self._core is _OVER:
            return
        events, self._backlog = self._backlog, None
        stream = self.stream
        stream._cork()
        try:
            if events:
                self._deliver(events)
        finally:
            stream._uncork()
        if self._backlog is None:
            if self._core.pending:
                self._wait_for_turn()
            else:
                stream._resume_reading()

    def read_ahead(self) -> None:
        """Read on though a callback takes its time: of our own close, the answer is to be seen."""
        if self._blocked is not None and not self._core.pending and not self._holds_much():
            self.stream._resume_reading()

    def _look_ahead(self, events: list[ws.Event]) -> None:
        """This has come while a callback takes its time."""
        for event in events:
            if type(event) is ws.Close:
                self.close_code, self.close_reason = event.code, event.reason or None
            elif type(event) is ws.Pong:
                _keepalive.pong_received(self)
        if self._holds_much():
            self.stream._pause_reading()

    def _holds_much(self) -> bool:
        """Whether so much waits for a callback that no more is to be read before it is done."""
        backlog: list[Any] = self._backlog or []
        if len(backlog) >= AHEAD:
            return True
        return sum(len(event) for event in backlog if type(event) in (str, bytes)) >= AHEAD_SIZE

    def _wait_for_turn(self) -> None:
        """More has come than may be decompressed at once."""
        self.stream._pause_reading()
        if self._backlog is None:
            self._backlog = []
            self.stream._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Others have had their turn: go on, unless there is something else to wait for by now."""
        backlog = self._backlog
        if backlog is None or self._blocked is not None or self._full:
            return
        if not backlog and self._core.pending:
            backlog += self._core.receive_data(b"")
        self._go_on()

    def _take_control(self, event: Any) -> bool:
        kind = type(event)
        if kind is ws.Ping:
            self._handle_message(Opcode.PING.value, event.payload)
        elif kind is ws.Pong:
            self._handle_message(Opcode.PONG.value, event.payload)
        elif kind is ws.Close:
            self._peer_closes(event)
        elif event is _END:
            self.eof_received()
        else:
            self._peer_fails(event)
        return self._blocked is None and self._core is not _OVER

    def _handle_message(self, opcode: int, data: bytes) -> None:
        """Act on a message or control frame; pings and pongs of the peer all come through here."""
        if opcode == Opcode.PING:
            self._answer_ping(data)
            self._call(self.handler.on_ping, data)
        elif opcode == Opcode.PONG:
            _keepalive.pong_received(self)
            self._call(self.handler.on_pong, data)
        elif opcode == Opcode.TEXT:
            self._call(self.handler.on_message, data.decode())
        elif opcode == Opcode.BINARY:
            self._call(self.handler.on_message, data)

    def _log_exception(self, error: BaseException | None = None) -> None:
        info = sys.exc_info() if error is None else (type(error), error, error.__traceback__)
        try:
            self.handler.log_exception(*info)
        except Exception:
            app_log.error("Error in exception logger", exc_info=True)

    # -- sending --

    def write_message(self, message: str | bytes, binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text or its UTF-8, or with `binary` any bytes.
        :returns: a Future that is done when no more than ``write_limit`` bytes wait for the peer; see
            `.WebSocketHandler.write_message`.
        :raises WebSocketClosedError: if this side, or the connection, is closed.
        """
        payload = message.encode() if type(message) is str else _bytes_of(message)
        try:
            frame = self._core.message(payload, binary)
        except ValueError:
            raise WebSocketClosedError from None
        self._message_bytes_out += len(payload)
        self._wire_bytes_out += len(frame)
        stream = self.stream
        if stream._send(frame) and stream._collected_size < COLLECT_LIMIT:
            return self._done
        return self._sent()

    def write_shared(self, message: SharedMessage) -> None:
        """Send a message that goes to many, as `.broadcast` does.

        :raises WebSocketClosedError: if this side, or the connection, is closed.
        """
        core = self._core
        try:
            frame = message.plain if core.plain else core.shared(message)
        except ValueError:
            raise WebSocketClosedError from None
        self._message_bytes_out += len(message.payload)
        self._wire_bytes_out += len(frame)
        stream = self.stream
        if not stream._send(frame) or stream._collected_size >= COLLECT_LIMIT:
            _ = self._sent()

    def hold(self) -> bool:
        """Collect what is sent from now on, until `let_go`; False if that is so already."""
        if self._is_held:
            return False
        self._is_held = True
        self.stream._cork()
        return True

    def let_go(self) -> None:
        """The counterpart of `hold`: what was collected leaves."""
        if self._is_held:
            self._is_held = False
            self.stream._uncork()

    def _transmit(self, frame: bytes) -> Future[None]:
        """Send a ready-made frame."""
        self._wire_bytes_out += len(frame)
        self.stream._send(frame)
        return self._sent()

    def _sent(self) -> Future[None]:
        """What tells that there is room again behind what was sent last."""
        stream = self.stream
        if stream._collected_size >= min(COLLECT_LIMIT, self.params.write_limit):
            stream._flush_now()
        if stream._pending_output <= self.params.write_limit:
            return self._done
        if not self._full:
            self._full = True
            stream._pause_reading()
            if self._backlog is None:
                self._backlog = []
        future: Future[None] = stream._loop.create_future()
        written = stream.write(b"")
        written.add_done_callback(lambda written: _pass_on(written, future))
        return future

    def periodic_ping(self) -> None:
        """Send a ping, or end the connection if the last one was not answered in time; the timer's work."""
        _keepalive.look_after(self)

    _expired = periodic_ping

    def start_pinging(self) -> None:
        """Begin to see whether the peer is still there, if ``ping_interval`` says so."""
        _keepalive.start(self)

    def set_nodelay(self, x: bool) -> None:
        """Send small messages at once (True), or have the system collect them."""
        self.stream.set_nodelay(x)

    @property
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that both sides agreed on."""
        return self._subprotocol

    @property
    def ping_interval(self) -> float:
        """Seconds between two pings; 0 for none."""
        return self.params.ping_interval

    @property
    def ping_timeout(self) -> float:
        """Seconds that a pong may take, at most `ping_interval`; 0 for no limit."""
        return self.params.ping_timeout

    @staticmethod
    def ping_sleep_time(*, last_ping_time: float, interval: float, now: float) -> float:
        """Seconds from `now` until the next ping is due."""
        return max(0, last_ping_time + interval - now)

    @staticmethod
    def compute_accept_value(key: str | bytes) -> str:
        """The ``Sec-WebSocket-Accept`` for a ``Sec-WebSocket-Key`` (RFC 6455 section 1.3)."""
        return accept_value(to_unicode(key))

    def _write_frame(self, fin: bool, opcode: int, data: bytes, flags: int = 0) -> Future[None]:
        """Send a single frame; pongs leave by it."""
        key = next_mask() if self.mask_outgoing else b""
        return self._transmit(serialize_frame((FIN if fin else 0) | flags | opcode, data, key))

    def write_ping(self, data: bytes) -> None:
        """Send a ping.

        :param data: at most 125 bytes, which come back by ``on_pong``.
        :raises ValueError: if it is longer.
        :raises WebSocketClosedError: if this side, or the connection, is closed.
        """
        if not self._core.sendable:
            raise WebSocketClosedError
        _ = self._transmit(self._core.ping(data))

    def _answer_ping(self, payload: bytes) -> None:
        """Send a pong, once the one before it has left; of several pings that come meanwhile, the last one is
        answered (RFC 6455 section 5.5.3).
        """
        if self._late_pong is not None:
            self._late_pong = payload
            return
        if not self._core.sendable:
            return
        written = self._write_frame(True, Opcode.PONG.value, payload)
        if not written.done():
            self._late_pong = _NO_PONG
            written.add_done_callback(self._pong_sent)

    def _pong_sent(self, written: Future[None]) -> None:
        payload, self._late_pong = self._late_pong, None
        if payload is not None and payload is not _NO_PONG and written.exception() is None:
            self._answer_ping(payload)

    def _compresses(self) -> bool:
        return self._core._deflate is not None

    # -- the end --

    def is_closing(self) -> bool:
        """Whether either side has closed."""
        return self.client_terminated or self.server_terminated or self.stream is None or self.stream.closed()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin the closing handshake; the peer has `CLOSE_TIMEOUT` seconds to answer. A second call does
        nothing.

        :param code: of RFC 6455 section 7.4, or from 3000 to 4999. 1005 and 1006, as another connection may
            have ended with, count as none.
        :param reason: text for the peer; what is beyond 123 bytes of UTF-8 is left out.
        :raises ValueError: for a code that must not be sent.
        """
        if self.server_terminated or self.stream is None:
            return
        if code in _NO_CODE:
            code = None
        frame = self._core.close(code, ws.clipped(reason or ""))
        self.server_terminated = True
        if frame:
            self._wire_bytes_out += len(frame)
            self.stream._send(frame)
        if self.client_terminated:
            self._finish()
        else:
            _keepalive.end_within(self, CLOSE_TIMEOUT)
            self.read_ahead()

    def _peer_closes(self, event: ws.Close) -> None:
        """The peer's close frame has come: answer it, or end what we began ourselves."""
        self.close_code, self.close_reason = event.code, event.reason or None
        self.client_terminated = True
        if not self.server_terminated:
            self.close(event.code)
        else:
            self._finish()

    def _peer_fails(self, event: ws.Failed) -> None:
        """The peer has broken a rule: say so, and go (RFC 6455 section 7.1.7)."""
        gen_log.debug("WebSocket connection failed with %d: %s", event.code, event.error)
        self.client_terminated = True
        reason = _TOO_BIG if event.code == MessageTooLarge.close_code else str(event.error)
        frame = self._core.close(event.code, ws.clipped(reason))
        self.server_terminated = True
        self._wire_bytes_out += len(frame)
        self.stream._send(frame)
        self._when_sent(self._end_output)

    def _finish(self) -> None:
        """Both sides have said all they had to say: close when it has been sent."""
        if self.mask_outgoing:
            _keepalive.end_within(self, CLOSE_TIMEOUT)  # the server is to close first
        else:
            self._when_sent(self.stream.close)

    @property
    def _served_by(self) -> object:
        """What the server is known by that this connection has begun on; None for a client."""
        if self.mask_outgoing:
            return None
        return getattr(self.handler.request.connection, "params", None)

    def _end_with_server(self) -> Future[None]:
        """Close with 1001, without waiting for the answer; the Future is done when that is so."""
        closed = self.wait_closed()
        if self.stream.closed():
            return closed
        self.close(1001)
        self._when_sent(self.stream.close)
        return closed

    def _when_sent(self, then: Callable[[], None]) -> None:
        """Do something when all output has left."""
        stream = self.stream
        stream._flush_now()
        if not stream._pending_output:
            then()
            return
        self._stage = then
        _keepalive.end_within(self, CLOSE_TIMEOUT)

    def _end_output(self) -> None:
        """Nothing more will be sent; wait for the peer to see that."""
        _keepalive.end_within(self, CLOSE_TIMEOUT)
        self.stream._end_output()
        self.stream._resume_reading()


def _bytes_of(message: Any) -> bytes:
    if isinstance(message, bytes):
        return message
    if isinstance(message, str):
        return message.encode()
    raise TypeError(f"a message is str or bytes (from a handler, also a dict), not {type(message).__name__}")


def _error_of(future: Future[Any]) -> BaseException | None:
    """What a Future that is done has failed with.

    It is not raised here: a frame in its traceback that knows the Future would be a cycle.
    """
    return asyncio.CancelledError() if future.cancelled() else future.exception()


def _pass_on(written: Future[None], future: Future[None]) -> None:
    """Settle what a program waits for as the stream's own Future was settled."""
    if future.done():
        return
    if written.exception() is None:
        future.set_result(None)
    else:
        future.set_exception(WebSocketClosedError())
        future.exception()  # whoever does not look at it knew that the peer may go


__all__ = ["CLOSE_TIMEOUT", "WebSocketProtocol", "WebSocketProtocol13"]
