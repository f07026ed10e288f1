"""One WebSocket connection, from the end of its handshake to its last byte, on either side.

`WebSocketProtocol13` stands between a byte duplex (see `_transport`), which hands it what arrives, the
sans-IO protocol (`tornado._wire.ws_connection`), which makes events of that, and an owner, whose callbacks
get them (see `_message_receiver`): a `.WebSocketHandler` or a `.WebSocketClientConnection`.

Output is bounded by ``write_limit``: while more than that waits for the peer, the Futures of `write_message`
wait, and if callbacks have sent of it, the peer's messages do, until it has taken all but half of that.

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
a callback raises                     the peer is told (1011), and not waited for
a callback is cancelled (`_abort`)    at once, without a close frame
====================================  ====================================================================

Whatever is waited for there, it is for `CLOSE_TIMEOUT` seconds at most; but where ``open`` is under way, its
owner is told when that is done, however long it takes.

A stream that ends without a close frame is a lost connection (1006), although its peer may only have closed
its sending side and still read, as HTTP allows and RFC 6455 does not: a client that has died looks the same,
and ``on_close`` is what stops the callbacks that serve it. What they write then is refused.
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
from tornado.websocket import _keepalive
from tornado.websocket._errors import check_thread, closed_error
from tornado.websocket._masking_keys import next_mask
from tornado.websocket._message_receiver import OVER, MessageReceiver
from tornado.websocket._parameters import WebSocketParams

if TYPE_CHECKING:
    from tornado._wire.ws_deflate import DeflateParameters
    from tornado._wire.ws_shared_message import SharedMessage
    from tornado.websocket._transport import Transport

#: Seconds that a peer has to answer a close frame, or to take what waits for it before the end.
CLOSE_TIMEOUT = 5.0
#: What a peer is told when a callback has raised (RFC 6455 section 7.4.1).
INTERNAL_ERROR = 1011
#: Bytes that may be collected in one callback before they go out.
COLLECT_LIMIT = 64 * 1024

#: Close codes that stand for the lack of one (RFC 6455 section 7.4.1). Programs pass on what they were told.
_NO_CODE = (1005, 1006, 1015)
#: Why a message is refused that is over the limit; clients of Tornado know it by these words.
_TOO_BIG = "message too big"
#: What stands for "a pong is on its way, and none is to follow".
_NO_PONG = b"none"
_running_loop = asyncio._get_running_loop


class WebSocketProtocol13(MessageReceiver):
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
        "_deadline",
        "_done",
        "_full",
        "_message_bytes_out",
        "_opening",
        "_pinged",
        "_spare",
        "_subprotocol",
        "_wire_bytes_out",
        "mask_outgoing",
        "params",
    )

    client_terminated: bool
    server_terminated: bool
    close_code: int | None
    close_reason: str | None

    # Few connections have these at a time, and no room for them until they do.
    #: What is to happen when nothing waits for the peer any more.
    _stage: Callable[[], None] | None = None
    #: While a pong waits to leave: the payload of the next one, or `_NO_PONG`.
    _late_pong: bytes | None = None
    _closed_waiter: Future[None] | None = None
    #: What `write_message` has returned and is not done.
    _senders: list[Future[None]] | None = None

    def __init__(self, handler: Any, mask_outgoing: bool, params: WebSocketParams) -> None:
        super().__init__(handler)
        self.mask_outgoing: bool = mask_outgoing
        self.params: WebSocketParams = params
        self._done: Future[None]
        #: More than ``write_limit`` waits for the peer.
        self._full = False
        #: What `begin` has called first, while it is under way.
        self._opening: Future[Any] | None = None
        self._subprotocol: str | None = None
        # The keep-alive's: see there.
        self._deadline = NEVER
        self._pinged: tuple[int, int, int] | None = None
        self._spare: _keepalive.IdleCompressor | None = None
        self._message_bytes_out = self._wire_bytes_out = 0

    # -- beginning --

    async def accept_connection(self, handler: Any) -> None:
        """Answer a client's handshake, call ``open``, and wait until the connection is closed.

        :raises ValueError: if the request is no handshake.
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
        """Take over a stream: the handshake is done. The callbacks run in a copy of the current context.

        :param stream: in nobody's hands; what it has read already is the peer's first frames.
        :param parameters: what was agreed on about compression.
        :param opening: called first, when messages can be sent; nothing is delivered until it is done, nor is
            the owner told that the connection is closed.
        """
        params = self.params
        policy = params.policy
        keys = next_mask if self.mask_outgoing else None
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
            elif self._blocked is not None:
                self._opening = self._blocked
                self._opening.add_done_callback(self._opened)
        finally:
            stream._uncork()

    def _opened(self, _: Future[Any]) -> None:
        self._opening = None

    # -- what the stream tells --

    def _input_ends(self) -> None:
        self.client_terminated = True
        self._core.receive_eof()
        self._when_sent(self.stream.close)

    def output_drained(self) -> None:
        """Nothing waits for the peer any more."""
        stage = self._stage
        if stage is not None:
            self._stage = None
            stage()

    def input_wanted(self) -> None:
        """Nobody else may read here."""

    def connection_lost(self, error: BaseException | None) -> None:
        """The stream is closed, by whomever."""
        self.client_terminated = self.server_terminated = True
        self._core = OVER
        self._backlog = []
        if self._stage is not None:
            self._stage = None
        _keepalive.forget(self)
        self.stream._loop.call_soon(self._tell_closed)

    def _tell_closed(self) -> None:
        waiter = self._closed_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._opening is None:
            self._notify_owner()
        else:
            # Programs give back in `on_close` what `open` has taken; Jupyter's connects to a kernel there.
            keep_reference(self._opening).add_done_callback(self._notify_owner)

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
            keep_reference(future).add_done_callback(self._close_frame_sent)

    def _close_frame_sent(self, future: Future[Any]) -> None:
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

    # -- sending --

    def write_message(self, message: str | bytes, binary: bool = False) -> Future[None]:
        """Send a message.

        :param message: text or its UTF-8, or with `binary` any bytes.
        :returns: a Future that is done when there is room for more; see `.WebSocketHandler.write_message`.
        :raises WebSocketClosedError: if this side, or the connection, is closed.
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
        return self._sent()

    def write_shared(self, message: SharedMessage) -> None:
        """Send a message that goes to many, as `.broadcast` does.

        :raises WebSocketClosedError: if this side, or the connection, is closed.
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
            self._overflows()

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
        """What tells that there is room behind what was sent last."""
        if not self._overflows():
            return self._done
        future: Future[None] = self.stream._loop.create_future()
        if self._senders is None:
            self._senders = []
        self._senders.append(future)
        return future

    def _overflows(self) -> bool:
        """Whether more than ``write_limit`` waits for the peer. Where callbacks are who sends, its messages
        wait then until it has taken all but half of that.
        """
        stream, limit = self.stream, self.params.write_limit
        if stream._collected_size >= min(COLLECT_LIMIT, limit):
            stream._flush_now()
        if stream._pending_output <= limit:
            return False
        if not self._stalled and self._answers():
            self._stalled = True
        if not self._full:
            self._full = True
            self._wait_for_room()
        return True

    def _answers(self) -> bool:
        """Whether a callback is who sends."""
        blocked = self._blocked
        if self._delivering or blocked is None:
            return self._delivering
        if isinstance(blocked, asyncio.Task):
            return asyncio.current_task(self.stream._loop) is blocked
        # It may be any future. A client's is that of room for messages to be read.
        return not self.mask_outgoing

    def _wait_for_room(self) -> None:
        self.stream._written(self.params.write_limit // 2).add_done_callback(self._room_again)

    def _room_again(self, written: Future[None]) -> None:
        """The peer has taken enough, or the stream is closed."""
        lost = written.cancelled() or written.exception() is not None
        if not lost and self.stream._pending_output > self.params.write_limit // 2:  # of what was sent since
            self._wait_for_room()
            return
        self._full = self._stalled = False
        senders, self._senders = self._senders, None
        for future in senders or ():
            if future.done():
                continue
            if not lost:
                future.set_result(None)
            else:
                future.set_exception(closed_error(self))
                future.exception()  # whoever does not look at it knew that the peer may go
        if self._blocked is None:
            self._process_next()

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
            raise closed_error(self)
        check_thread(self.stream._loop, "ping()")
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
        if payload is not None and payload is not _NO_PONG:
            self._answer_ping(payload)

    def _pong_received(self) -> None:
        _keepalive.pong_received(self)

    def _compresses(self) -> bool:
        return self._core._deflate is not None

    # -- the end --

    def is_closing(self) -> bool:
        """Whether either side has closed."""
        return self.client_terminated or self.server_terminated or self.stream is None or self.stream.closed()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin the closing handshake; the peer has `CLOSE_TIMEOUT` seconds to answer. A second call does
        nothing.

        :param code: of RFC 6455 section 7.4, or from 3000 to 4999. 1005, 1006 and 1015, as another connection
            may have ended with, count as none.
        :param reason: text for the peer; what is beyond 123 bytes of UTF-8 is left out.
        :raises ValueError: for a code that must not be sent.
        """
        if self.server_terminated or self.stream is None:
            return
        check_thread(self.stream._loop, "close()")
        if code in _NO_CODE:
            code = None
        frame = self._core.close(code, ws_connection.clipped(reason or ""))
        self.server_terminated = True
        if frame:
            self._wire_bytes_out += len(frame)
            self.stream._send(frame)
        if self.client_terminated:
            self._finish()
        else:
            _keepalive.end_within(self, CLOSE_TIMEOUT)

    def _peer_closes(self, event: ws_connection.Close) -> None:
        """The peer's close frame has come: answer it, or end what we began ourselves."""
        self.close_code, self.close_reason = event.code, event.reason or None
        self.client_terminated = True
        if not self.server_terminated:
            self.close(event.code)
        else:
            self._finish()

    def _peer_fails(self, event: ws_connection.Failed) -> None:
        """The peer has broken a rule: say so, and go (RFC 6455 section 7.1.7)."""
        self.say_why("its peer broke a rule (%d): %s", event.code, event.error)
        self.client_terminated = True
        reason = _TOO_BIG if event.code == MessageTooLarge.close_code else str(event.error)
        frame = self._core.close(event.code, ws_connection.clipped(reason))
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
        self.close(1001)
        self._when_sent(self.stream.close)
        return closed

    def say_why(self, text: str, *args: object) -> None:
        """Keep why this side ends the connection: what the peer says is for its own reasons only."""
        self.handler.close_error = text % args
        gen_log.debug("%r is closed: " + text, self.handler, *args)

    def _end_by_fault(self) -> None:
        """A callback has raised: end at once; the peer is told that it is not to blame (1011)."""
        frame = self._core.close(INTERNAL_ERROR)
        self._core = OVER
        self.client_terminated = self.server_terminated = True
        self._wire_bytes_out += len(frame)
        self.stream._send(frame)
        self._when_sent(self.stream.close)

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


def _bytes_of(message: Any, binary: bool) -> bytes:
    if isinstance(message, bytes):
        if not binary and not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"the message is not UTF-8: pass binary=True to send bytes ({error})"
                ) from None
        return message
    if isinstance(message, str):
        return message.encode()
    raise TypeError(f"a message is str or bytes (from a handler, also a dict), not {type(message).__name__}")


__all__ = ["CLOSE_TIMEOUT", "WebSocketProtocol13"]
