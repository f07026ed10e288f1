"""The WebSocket protocol: converts received bytes to events, and messages to frames (RFC 6455, RFC 7692).

Theory of operation
-------------------
A `WSConnection` starts after the opening handshake (`ws_handshake`). `WSConnection.receive_data` takes the
bytes read from the socket and returns the events that they complete, in order. A message is returned as a
`str` or `bytes`; the other events are `Ping`, `Pong`, `Close` and `Failed`. The methods `message`, `ping`,
`pong` and `close` return the bytes to send. The class has neither queues nor timers: the caller replies to a
`Ping` with `pong`, and to a `Close` or a `Failed` with `close`, and applies its own timeouts.

A violation by the peer is reported as the last event of a call, not as an exception. The caller can therefore
process the preceding events, and send its replies to them, before it sends the close frame.

Nearly all traffic consists of short messages that arrive complete, in one frame each. A specialized loop
decodes them (`ws_short_frames`), and most input needs nothing else. All other input takes the slow path
(`_advance`), which streams each payload into an `IncomingMessage` as it arrives. The slow path passes short
data frames to the specialized loops again: complete messages, and runs of fragments, which are joined into
one piece. It limits the length of each run, so that these loops need not check any limit. An incomplete
header or control frame (`_rest`) and an incomplete message are buffered; an idle connection has neither.

Each call decompresses a bounded number of bytes (`WSLimits.inflate_step`). Each step counts as `STEP_COST`
bytes in addition to its output, because a chunk may contain many tiny messages. A call that reaches the bound
sets `pending`: call `receive_data(b"")` after other connections have been served, and pass no more data until
`pending` is false.

Rejected input
--------------
`ws_frames`, `ws_message` and `ws_deflate` list the input that they reject. This module rejects a continuation
frame outside a message and a new message inside another (section 5.4), and too many fragments or control
frames.

Nothing is read after a close frame or an error (sections 5.5.1 and 7.1.7).

Limits
------
======================  ==========  ==========================================================================
setting                 default     precedent
======================  ==========  ==========================================================================
`max_message_size`      10 MiB      Tornado's ``websocket_max_message_size``; size after decompression
`max_fragments`         4,096       none; plus one for every 32 bytes; Autobahn sends fragments of 64 bytes
`max_control_frames`    1,024       none; counted per call; 64 KiB can hold 10,922 control frames
`max_inflation_ratio`   none        for messages over 1 MiB; deflate reaches 1,032, text 5 to 20
`inflate_step`          256 KiB     the share of one connection before others are served
======================  ==========  ==========================================================================
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Final

from tornado._wire.ws_deflate import MAX_STEP_INPUT, DeflateCodec, DeflateParameters, DeflatePolicy
from tornado._wire.ws_errors import PolicyViolation, ProtocolError, WebSocketError
from tornado._wire.ws_events import Close, Event, Failed, Ping, Pong
from tornado._wire.ws_frames import (
    FIN,
    MAX_CONTROL_PAYLOAD,
    MAX_REASON,
    RSV1,
    SHORT_BINARY,
    SHORT_TEXT,
    Opcode,
    close_payload,
    read_close_payload,
    read_header,
    serialize_frame,
    write_medium_head,
)
from tornado._wire.ws_message import IncomingMessage, invalid_text, too_large
from tornado._wire.ws_shared_message import SharedMessage
from tornado._wire.ws_short_frames import take_fragments, take_masked, take_plain
from tornado._wire.ws_state import WebSocketState, WebSocketStep
from tornado.util import _websocket_mask

# See `tornado._wire.state_machine` for the reason for these constants.
_OPEN = WebSocketState.OPEN
_CLOSED = WebSocketState.CLOSED
_LOST = WebSocketStep.LOST
_CLOSE_RECEIVED = WebSocketStep.CLOSE_RECEIVED
_FAULT = WebSocketStep.FAULT
_CLOSE_SENT = WebSocketStep.CLOSE_SENT
_OPCODE_TEXT = Opcode.TEXT
_OPCODE_PING = Opcode.PING
_PONG = Opcode.PONG
_OPCODE_CLOSE = Opcode.CLOSE

__all__ = [
    "DEFAULT",
    "Close",
    "Event",
    "Failed",
    "Ping",
    "Pong",
    "SharedMessage",
    "WebSocketState",
    "WSConnection",
    "WSLimits",
    "truncated_reason",
]

#: The fixed cost of a decompression step, in bytes of output: it bounds the number of tiny messages per call.
STEP_COST: Final = 512
#: A message may have one fragment for each of this many bytes, in addition to `WSLimits.max_fragments`.
BYTES_PER_FRAGMENT: Final = 32

_TEXT: Final = FIN | Opcode.TEXT.value
_BINARY: Final = FIN | Opcode.BINARY.value
_CONTINUATION: Final = Opcode.CONTINUATION.value
_CLOSE: Final = Opcode.CLOSE.value
_PING: Final = Opcode.PING.value
_NO_POLICY: Final = DeflatePolicy()


# -- values --


@dataclasses.dataclass(frozen=True, slots=True)
class WSLimits:
    """Limits on the resources that a peer may use. The object is immutable: share it among all connections.

    :raises ValueError: if a limit is negative, or `inflate_step` is 0.
    """

    #: The maximum size of a message after decompression, in bytes.
    max_message_size: int = 10 * 1024 * 1024
    #: The maximum number of frames of a message, in addition to one for every 32 bytes of it.
    max_fragments: int = 4096
    #: The maximum number of control frames in one call of `WSConnection.receive_data`.
    max_control_frames: int = 1024
    #: The maximum ratio of decompressed to compressed size of a message over 1 MiB.
    max_inflation_ratio: float = math.inf
    #: The maximum number of bytes that one call decompresses.
    inflate_step: int = 256 * 1024

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} must not be negative, got {getattr(self, field.name)}")
        if not self.inflate_step:
            raise ValueError("inflate_step must be positive: with 0 no compressed message could be read")


#: The default settings of a `WSConnection`.
DEFAULT: Final = WSLimits()


def truncated_reason(reason: str) -> str:
    """Return `reason`, truncated to the `MAX_REASON` bytes of UTF-8 that a close frame can contain."""
    return reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")


# -- the protocol --


class WSConnection:
    """The protocol state of one WebSocket after its opening handshake.

    :param settings: the limits; several connections can share one object.
    :param keys: for a client, a function that returns a new masking key of four random bytes for each frame
        (section 5.3); None for a server.
    :param parameters: the compression parameters agreed on in the handshake; None for no compression.
    :param policy: the policy of the negotiation, which provides the compression level, the memory level and
        the threshold.
    :ivar state: the state of the connection.
    :ivar plain: whether `message` may be called and its frames are neither masked nor compressed.
    :ivar pending: whether some of the data passed is still unprocessed. If so, call ``receive_data(b"")``
        soon.
    """

    __slots__ = (
        "_deflate",
        "_keys",
        "_message",
        "_rest",
        "_settings",
        "_use_fast_path",
        "pending",
        "plain",
        "state",
    )

    def __init__(
        self,
        settings: WSLimits = DEFAULT,
        keys: Callable[[], bytes] | None = None,
        parameters: DeflateParameters | None = None,
        policy: DeflatePolicy = _NO_POLICY,
    ) -> None:
        self.state = _OPEN
        self.pending = False
        self._settings = settings
        self._keys = keys
        self._deflate = None if parameters is None else DeflateCodec(parameters, policy, keys is None)
        self._rest = b""
        self._message: IncomingMessage | None = None
        # Whether the next byte starts a frame that the loops of `ws_short_frames` may decode.
        self._use_fast_path = settings.max_message_size >= MAX_CONTROL_PAYLOAD
        self.plain = keys is None and parameters is None

    def __repr__(self) -> str:
        return f"<WSConnection {self.state.value}>"

    # -- receiving --

    def receive_data(self, data: bytes) -> list[Event]:
        """Process the next bytes received from the peer.

        :returns: the events that these bytes complete, in order.
        """
        events: list[Event] = []
        try:
            if self._use_fast_path:
                at = (take_masked if self._keys is None else take_plain)(data, 0, events)
                if at == len(data):
                    return events
                data = data[at:]
            self._receive(data, events)
        except UnicodeDecodeError:
            self._fail(invalid_text(), events)
        except WebSocketError as error:
            self._fail(error, events)
        return events

    def receive_eof(self) -> None:
        """Process the end of the input. Without a close frame the connection ends abnormally (1006).

        After a close frame or an error, the method has no effect, and `close` can still be called.
        """
        if self.state.reads:
            self._step(_LOST)

    def abandon(self) -> None:
        """Process the loss of the connection: nothing more is read or sent, not even a close frame."""
        self._step(_LOST)

    def _receive(self, data: bytes, events: list[Event]) -> None:
        """Process input on the slow path."""
        if not self.state.reads:
            return
        if self._rest:
            data = self._rest + data
        at = self._advance(data, events)
        if self.state.reads:
            self._rest = data[at:]
            self._use_fast_path = not (
                self._rest
                or self.pending
                or self._message is not None
                or self._settings.max_message_size < MAX_CONTROL_PAYLOAD
            )

    def _advance(self, data: bytes, events: list[Event]) -> int:
        """Process all complete input; return the position of the first byte that must be buffered."""
        self.pending = False
        at, end = 0, len(data)
        budget = self._settings.inflate_step
        controls = self._settings.max_control_frames
        while budget > 0:
            message = self._message
            if message is not None and message.in_frame:
                if message.backlog:
                    budget -= message.inflate(budget) + STEP_COST
                elif not message.remaining:
                    self._end_frame(message, events)
                elif at < end:
                    at = message.take(data, at)
                else:
                    return at
                continue
            if end - at > 1 and data[at] & 0x0F < _CLOSE and data[at + 1] & 0x7F < 126:
                before, at = at, self._take_short_frames(data, at, events)
                if at > before:
                    continue
            header = read_header(data, at, self._keys is None, self._deflate is not None)
            if header is None:
                return at
            first, length, key, position = header
            if first & 0x0F < _CLOSE:
                at = self._take_data_frame(data, header, events)
                continue
            if end - position < length:
                return at
            controls -= 1
            at = position + length
            self._take_control(first & 0x0F, data[position:at], key, events, controls)
            if not self.state.reads:
                return at
        self.pending = True
        return at

    def _take_short_frames(self, data: bytes, at: int, events: list[Event]) -> int:
        """Decode short data frames in ``data[at:]``; return the position after them."""
        first, message, settings = data[at], self._message, self._settings
        masked = self._keys is None
        if message is None:
            capacity, max_fragments = settings.max_message_size, settings.max_fragments
            if first in (0x81, 0x82) and capacity >= MAX_CONTROL_PAYLOAD:
                return (take_masked if masked else take_plain)(data, at, events)
            if first not in (0x01, 0x02):
                return at
        elif first & 0x7F:
            return at
        else:
            capacity = message.max_wire_size - message.wire_size
            max_fragments = self._max_fragments(message) - message.fragments
        # A payload is shorter than its frame, so a limit on the frames limits the payloads, too.
        end = min(len(data), at + min(capacity, MAX_STEP_INPUT))
        at, payloads, final = take_fragments(data, at, end, masked, max_fragments)
        payload = b"".join(payloads)
        if message is None and final:
            events.append(payload.decode() if first == 0x01 else payload)
        elif payloads:
            (message or self._start_message(first)).take_frames(payload, len(payloads), final)
        return at

    def _take_data_frame(self, data: bytes, header: tuple[int, int, bytes, int], events: list[Event]) -> int:
        """Process a data frame after its header has been parsed: decode the message if the frame contains all
        of an uncompressed message, otherwise start the frame. Return the position after the processed bytes.
        """
        first, length, key, position = header
        end = position + length
        if self._message is None and first in (0x81, 0x82) and end <= len(data):
            events.append(self._decode_whole_frame(first, data[position:end], key))
            return end
        self._begin_frame(first, length, key)
        return position

    def _decode_whole_frame(self, first: int, payload: bytes, key: bytes) -> str | bytes:
        """Return the message in a complete, uncompressed frame."""
        limit = self._settings.max_message_size
        if len(payload) > limit:
            raise too_large(limit)
        if key:
            payload = _websocket_mask(key, payload)
        return payload if first == _BINARY else payload.decode()

    def _begin_frame(self, first: int, length: int, key: bytes) -> None:
        """Process the header of a data frame."""
        message = self._message
        continues = first & 0x0F == _CONTINUATION
        if message is None:
            if continues:
                raise ProtocolError("continuation frame without a message to continue")
            message = self._start_message(first)
        elif not continues:
            raise ProtocolError("new message before the final fragment of the previous one")
        message.begin_frame(first, length, key)
        limit = self._max_fragments(message)
        if message.fragments > limit:
            raise PolicyViolation(f"message has more than {limit} fragments (max_fragments)")

    def _start_message(self, first: int) -> IncomingMessage:
        """Start a message that is incomplete, compressed, or both long and fragmented."""
        inflater = None
        if first & RSV1 and self._deflate is not None:
            inflater = self._deflate.inflater()
        settings = self._settings
        is_text = first & 0x0F == _OPCODE_TEXT
        message = IncomingMessage(is_text, inflater, settings.max_message_size, settings.max_inflation_ratio)
        self._message = message
        return message

    def _max_fragments(self, message: IncomingMessage) -> int:
        """Return the maximum number of fragments for the current size of a message."""
        return self._settings.max_fragments + message.wire_size // BYTES_PER_FRAGMENT

    def _end_frame(self, message: IncomingMessage, events: list[Event]) -> None:
        """End a frame whose payload has been consumed; if the message is complete, add it to the events."""
        if not message.end_frame():
            return
        events.append(message.value())
        self._message = None
        if message.inflater is not None and self._deflate is not None:
            self._deflate.end_message()

    def _take_control(
        self, opcode: int, payload: bytes, key: bytes, events: list[Event], remaining: int
    ) -> None:
        """Process a control frame.

        :param remaining: the number of control frames that are still permitted in this call.
        """
        if remaining < 0:
            limit = self._settings.max_control_frames
            raise PolicyViolation(f"more than {limit} control frames at a time (max_control_frames)")
        if key and payload:
            payload = _websocket_mask(key, payload)
        if opcode == _PING:
            events.append(Ping(payload))
        elif opcode != _CLOSE:
            events.append(Pong(payload))
        else:
            code, reason = read_close_payload(payload)
            self._step(_CLOSE_RECEIVED)
            events.append(Close(code, reason))

    def _fail(self, error: WebSocketError, events: list[Event]) -> None:
        self._step(_FAULT)
        # The frames in the traceback refer to `events`, which contains the error. Without the garbage
        # collector, this reference cycle was measured to keep 16 to 20 objects for each failed connection,
        # including the `WSConnection` and the unread data. Only frames of this package are lost.
        error.__context__ = None
        events.append(Failed(error.close_code, error.with_traceback(None)))

    def _step(self, step: WebSocketStep) -> None:
        """Change the state, and release what the next state does not need."""
        self.state = state = self.state.after[step]
        if not state.sends:
            self.plain = False
        if not state.reads:
            self._use_fast_path = self.pending = False
            self._message = None
            self._rest = b""
        if state is _CLOSED:
            self._deflate = None

    # -- sending --

    def message(self, message: str | bytes, binary: bool = False) -> bytes:
        """Return the frame for a message.

        :param message: text or its UTF-8 encoding; with `binary`, any bytes.
        :raises ValueError: if nothing may be sent any more; see `WebSocketState.sends`.
        """
        payload = message if type(message) is bytes or not isinstance(message, str) else message.encode()
        size = len(payload)
        if self.plain:
            if size < 126:
                return (SHORT_BINARY if binary else SHORT_TEXT)[size] + payload
            if size < 1 << 16:
                return write_medium_head(_BINARY if binary else _TEXT, 126, size) + payload
        if not self.state.sends:
            raise ValueError(f"cannot send a message: the WebSocket is {self.state.value}")
        first = _BINARY if binary else _TEXT
        deflate = self._deflate
        if deflate is not None and deflate.should_compress(size):
            first |= RSV1
            payload = deflate.compress(payload)
        return self._frame(first, payload)

    def shared(self, message: SharedMessage) -> bytes:
        """Return the frame for a message to many connections, which is encoded and compressed only once.

        A shared message is compressed separately from all others. The compressor of this connection is
        released, because the next message must not refer to data that precedes the shared message.

        :raises ValueError: as `message` does.
        """
        if not self.state.sends:
            raise ValueError(f"cannot send a message: the WebSocket is {self.state.value}")
        if self._keys is not None:
            return self.message(message.payload, message.first == _BINARY)  # a client masks each frame anew
        deflate = self._deflate
        if deflate is None or not deflate.should_compress(len(message.payload)):
            return message.plain
        deflate.release()
        return message.compressed(deflate.window_bits, deflate.policy)

    def ping(self, payload: bytes = b"") -> bytes:
        """Return a ping frame; the peer replies with a pong that has the same payload.

        :raises ValueError: if the payload exceeds 125 bytes, or nothing may be sent any more.
        """
        if not self.state.sends:
            raise ValueError(f"cannot send a ping: the WebSocket is {self.state.value}")
        return self._control(_OPCODE_PING, payload)

    def pong(self, payload: bytes = b"") -> bytes:
        """Return a pong frame, or empty bytes if this side has sent its close frame.

        :raises ValueError: if the payload exceeds 125 bytes.
        """
        return self._control(_PONG, payload) if self.state.sends else b""

    def close(self, code: int | None = None, reason: str = "") -> bytes:
        """Return the close frame that starts or completes the closing handshake.

        :param code: the close code; None sends none, or 1000 if there is a reason.
        :param reason: a description for logs; at most 123 bytes of UTF-8, see `truncated_reason`.
        :returns: the frame, or empty bytes if this side has already sent a close frame.
        :raises ValueError: if the code must not be sent, or the reason is too long.
        """
        payload = close_payload(code, reason)
        if not self.state.sends:
            return b""
        self._step(_CLOSE_SENT)
        return self._frame(FIN | _OPCODE_CLOSE, payload)

    @property
    def compresses(self) -> bool:
        """Whether the two sides have agreed on compression, and the connection is not closed."""
        return self._deflate is not None

    def release(self) -> None:
        """Release the memory of the compressor until the next message is sent."""
        if self._deflate is not None:
            self._deflate.release()

    def _control(self, opcode: int, payload: bytes) -> bytes:
        if len(payload) > MAX_CONTROL_PAYLOAD:
            raise ValueError(
                f"control frame payload must not exceed {MAX_CONTROL_PAYLOAD} bytes, got {len(payload)}"
            )
        return self._frame(FIN | opcode, payload)

    def _frame(self, first: int, payload: bytes) -> bytes:
        return serialize_frame(first, payload, b"" if self._keys is None else self._keys())
