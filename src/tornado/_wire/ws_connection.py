"""The WebSocket protocol: what comes of the bytes that arrive, which bytes to send (RFC 6455, RFC 7692).

Theory of operation
-------------------
A `WSConnection` begins behind the opening handshake (`ws_handshake`). `receive_data` takes a chunk as it came
and returns all that it completes, in order: a message is a `str` or `bytes` itself, anything else one of
`Ping`, `Pong`, `Close` and `Failed`. What is to be sent is returned as bytes: `message`, `ping`, `pong`,
`close`. There is no queue in either direction and no clock: who calls answers a `Ping` with `pong`, a
`Close` or a `Failed` with `close`, and decides how long to wait.

A fault of the peer is the last event of its chunk, not an exception, so that what came before it is
delivered and the answers to it leave before the close frame does.

A short message in one frame that is there as a whole is nearly all the traffic there is: a loop that knows
nothing else takes such frames (`ws_short_frames`), and most chunks end with them. What does not fit goes the
general way (`_advance`), which streams each payload into an `IncomingMessage` as it arrives. It hands short
data frames back to the loops: messages behind something else, and fragments, which become one piece; so many
at once that none can pass a limit. Kept are an incomplete header or control frame (`_rest`) and the message
under way; an idle connection has neither.

Decompression is bounded for each call (`WSSettings.inflate_step`); a step counts `STEP_COST` bytes besides
its output, as messages may be many and tiny. When a call ends for that reason, `pending` is true: call
`receive_data(b"")` after other connections have had their turn, and pass no more data until it is false.

What is refused, and why
------------------------
As in `ws_frames`, `ws_message` and `ws_deflate`. Here: a continuation without a message, and a message inside
another (section 5.4); too many fragments or control frames.

Nothing is read behind a close frame or a fault (sections 5.5.1 and 7.1.7).

Limits
------
======================  ==========  ==========================================================================
setting                 default     precedent
======================  ==========  ==========================================================================
`max_message_size`      10 MiB      Tornado's ``websocket_max_message_size``; after decompression
`max_fragments`         4,096       none: fragments beyond one for each 32 bytes; Autobahn sends 64 bytes each
`max_control_frames`    1,024       none: in one chunk; a chunk of 64 KiB has room for 10,922
`max_inflation_ratio`   none        of a message over 1 MiB; deflate reaches 1,032, text 5 to 20
`inflate_step`          256 KiB     what one connection may do before another has its turn
======================  ==========  ==========================================================================
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable
from typing import Final

from tornado._wire.ws_deflate import PIECE, Deflate, DeflateParameters, DeflatePolicy
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
)
from tornado._wire.ws_message import IncomingMessage, invalid_text, too_large
from tornado._wire.ws_shared_message import SharedMessage
from tornado._wire.ws_short_frames import take_fragments, take_masked, take_plain
from tornado.util import _websocket_mask

__all__ = [
    "DEFAULT",
    "TRANSITIONS",
    "Close",
    "WSConnection",
    "Event",
    "Failed",
    "Ping",
    "Pong",
    "WSSettings",
    "SharedMessage",
    "State",
    "clipped",
]

#: What a step of decompression costs besides its output, in bytes of output: many messages may be tiny.
STEP_COST: Final = 512
#: Bytes of a message that pay for one fragment beyond `WSSettings.max_fragments`.
BYTES_PER_FRAGMENT: Final = 32

_TEXT: Final = FIN | Opcode.TEXT.value
_BINARY: Final = FIN | Opcode.BINARY.value
_CONTINUATION: Final = Opcode.CONTINUATION.value
_CLOSE: Final = Opcode.CLOSE.value
_PING: Final = Opcode.PING.value
_NO_POLICY: Final = DeflatePolicy()


# -- values --


@dataclasses.dataclass(frozen=True, slots=True)
class WSSettings:
    """Bounds on what a peer may cost. One for all connections; immutable.

    :raises ValueError: if one is negative, or `inflate_step` is 0.
    """

    #: A message's bytes after decompression.
    max_message_size: int = 10 * 1024 * 1024
    #: Frames of one message, beyond one for each 32 bytes of it.
    max_fragments: int = 4096
    #: Control frames in one chunk.
    max_control_frames: int = 1024
    #: Times that a message may grow in decompression once it is over 1 MiB.
    max_inflation_ratio: float = math.inf
    #: Bytes that one call decompresses.
    inflate_step: int = 256 * 1024

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} must not be negative, got {getattr(self, field.name)}")
        if not self.inflate_step:
            raise ValueError("inflate_step must not be 0: no compressed message could be read")


#: What a `WSConnection` uses unless told otherwise.
DEFAULT: Final = WSSettings()


class State(enum.Enum):
    """Where a connection is between the opening handshake and its end."""

    OPEN = "open"
    CLOSING = "closing"  #: we have sent a close frame, and read on until the peer's
    CLOSED_BY_PEER = "closed by the peer"  #: the peer has sent one, and we have not
    FAILED = "failed"  #: the peer is at fault, and we have not sent a close frame
    CLOSED = "closed"  #: nothing more is read or sent

    # In C: each chunk asks what may be done in its connection's state.
    __hash__ = object.__hash__


#: From each state, where a connection may go.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.OPEN: frozenset({State.CLOSING, State.CLOSED_BY_PEER, State.FAILED, State.CLOSED}),
    State.CLOSING: frozenset({State.CLOSED}),
    State.CLOSED_BY_PEER: frozenset({State.CLOSED}),
    State.FAILED: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
}
#: What each thing that happens leads to. What is not here changes nothing.
_ON_CLOSE_SENT = {
    State.OPEN: State.CLOSING,
    State.CLOSED_BY_PEER: State.CLOSED,
    State.FAILED: State.CLOSED,
}
_ON_CLOSE_RECEIVED = {State.OPEN: State.CLOSED_BY_PEER, State.CLOSING: State.CLOSED}
_ON_FAULT = {State.OPEN: State.FAILED, State.CLOSING: State.CLOSED}
_READING = frozenset({State.OPEN, State.CLOSING})
#: Section 5.5.1: what is being sent may be sent to its end when the peer's close frame comes; and the answers
#: to what came before a fault leave before our close frame.
_SENDING = frozenset({State.OPEN, State.CLOSED_BY_PEER, State.FAILED})


def clipped(reason: str) -> str:
    """As much of `reason` as a close frame takes: `MAX_REASON` bytes of UTF-8, whole characters."""
    return reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")


# -- the protocol --


class WSConnection:
    """One WebSocket, from the end of its opening handshake on.

    :param settings: bounds; share one among connections.
    :param keys: for a client: gives four random bytes, anew for each frame (section 5.3). None for a server.
    :param parameters: what the handshake agreed on about compression; None for no compression.
    :param policy: what was negotiated with; level, memory level and threshold are taken from it.
    :ivar state: where the connection is.
    :ivar sendable: `message` may be called.
    :ivar plain: the same, and what is sent is neither masked nor compressed.
    :ivar pending: data that was passed has not been looked at: call ``receive_data(b"")`` soon.
    """

    __slots__ = (
        "_deflate",
        "_direct",
        "_keys",
        "_message",
        "_rest",
        "_settings",
        "pending",
        "plain",
        "sendable",
        "state",
    )

    def __init__(
        self,
        settings: WSSettings = DEFAULT,
        keys: Callable[[], bytes] | None = None,
        parameters: DeflateParameters | None = None,
        policy: DeflatePolicy = _NO_POLICY,
    ) -> None:
        self.state = State.OPEN
        self.sendable = True
        self.pending = False
        self._settings = settings
        self._keys = keys
        self._deflate = None if parameters is None else Deflate(parameters, policy, keys is None)
        self._rest = b""
        self._message: IncomingMessage | None = None
        # Whether the next byte begins a frame that the short loops may take.
        self._direct = settings.max_message_size >= MAX_CONTROL_PAYLOAD
        self.plain = keys is None and parameters is None

    # -- receiving --

    def receive_data(self, data: bytes) -> list[Event]:
        """Take the next bytes of the peer.

        :return: what they complete, in order.
        """
        events: list[Event] = []
        try:
            if self._direct:
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
        """The peer will send nothing more. Without its close frame that is an abnormal end (1006).

        Behind a close frame or a fault it changes nothing: `close` can still be sent.
        """
        if self.state in _READING:
            self._enter(State.CLOSED)

    def _receive(self, data: bytes, events: list[Event]) -> None:
        """The general way."""
        if self.state not in _READING:
            return
        if self._rest:
            data = self._rest + data
        at = self._advance(data, events)
        if self.state in _READING:
            self._rest = data[at:]
            self._direct = not (
                self._rest
                or self.pending
                or self._message is not None
                or self._settings.max_message_size < MAX_CONTROL_PAYLOAD
            )

    def _advance(self, data: bytes, events: list[Event]) -> int:
        """Take what is there; gives the position of the first byte that has to be kept."""
        self.pending = False
        at, end = 0, len(data)
        budget = self._settings.inflate_step
        controls = self._settings.max_control_frames
        while True:
            if budget <= 0:
                self.pending = True
                return at
            message = self._message
            if message is not None and message.in_frame:
                if message.backlog:
                    budget -= message.inflate(budget) + STEP_COST
                elif message.remaining:
                    if at == end:
                        return at
                    at = message.take(data, at)
                elif message.end_frame():
                    self._complete(message, events)
                continue
            if end - at > 1 and data[at] & 0x0F < _CLOSE and data[at + 1] & 0x7F < 126:
                before, at = at, self._take_short(data, at, events)
                if at > before:
                    continue
            header = read_header(data, at, self._keys is None, self._deflate is not None)
            if header is None:
                return at
            first, length, key, position = header
            if first & 0x0F < _CLOSE:
                if message is None and first in (0x81, 0x82) and length <= end - position:
                    at = position + length
                    events.append(self._whole(first, data[position:at], key))
                    continue
                self._begin_frame(first, length, key)
                at = position
                continue
            if end - position < length:
                return at
            controls -= 1
            if controls < 0:
                limit = self._settings.max_control_frames
                raise PolicyViolation(f"more than {limit} control frames at once (max_control_frames)")
            at = position + length
            self._take_control(first & 0x0F, data[position:at], key, events)
            if self.state not in _READING:
                return at

    def _take_short(self, data: bytes, at: int, events: list[Event]) -> int:
        """Take short data frames from ``data[at:]``; gives the position behind them."""
        first, message, settings = data[at], self._message, self._settings
        masked = self._keys is None
        if message is None:
            room, most = settings.max_message_size, settings.max_fragments
            if first in (0x81, 0x82) and room >= MAX_CONTROL_PAYLOAD:
                return (take_masked if masked else take_plain)(data, at, events)
            if first not in (0x01, 0x02):
                return at
        elif first & 0x7F:
            return at
        else:
            room = message.max_wire_size - message.wire_size
            most = self._most_fragments(message) - message.fragments
        # No payload is longer than its frame.
        end = min(len(data), at + min(room, PIECE))
        at, payloads, final = take_fragments(data, at, end, masked, most)
        payload = b"".join(payloads)
        if message is None and final:
            events.append(payload.decode() if first == 0x01 else payload)
        elif payloads:
            (message or self._begin(first)).take_frames(payload, len(payloads), final)
        return at

    def _whole(self, first: int, payload: bytes, key: bytes) -> str | bytes:
        """A message in one frame that has come as a whole and is not compressed."""
        limit = self._settings.max_message_size
        if len(payload) > limit:
            raise too_large(limit)
        if key:
            payload = _websocket_mask(key, payload)
        return payload if first == _BINARY else payload.decode()

    def _begin_frame(self, first: int, length: int, key: bytes) -> None:
        """The header of a data frame has come."""
        message = self._message
        continues = first & 0x0F == _CONTINUATION
        if message is None:
            if continues:
                raise ProtocolError("a continuation frame without a message to continue")
            message = self._begin(first)
        elif not continues:
            raise ProtocolError("a new message before the last fragment of the previous one")
        message.begin_frame(first, length, key)
        most = self._most_fragments(message)
        if message.fragments > most:
            raise PolicyViolation(f"a message in more than {most} fragments (max_fragments)")

    def _begin(self, first: int) -> IncomingMessage:
        """Begin a message that has not come as a whole, or is compressed, or long and in fragments."""
        inflater = None
        if first & RSV1 and self._deflate is not None:
            inflater = self._deflate.inflater()
        settings = self._settings
        is_text = first & 0x0F == Opcode.TEXT
        message = IncomingMessage(is_text, inflater, settings.max_message_size, settings.max_inflation_ratio)
        self._message = message
        return message

    def _most_fragments(self, message: IncomingMessage) -> int:
        """How many fragments what has come of a message pays for."""
        return self._settings.max_fragments + message.wire_size // BYTES_PER_FRAGMENT

    def _complete(self, message: IncomingMessage, events: list[Event]) -> None:
        events.append(message.value())
        self._message = None
        if message.inflater is not None and self._deflate is not None:
            self._deflate.end_message()

    def _take_control(self, opcode: int, payload: bytes, key: bytes, events: list[Event]) -> None:
        if key and payload:
            payload = _websocket_mask(key, payload)
        if opcode == _PING:
            events.append(Ping(payload))
        elif opcode != _CLOSE:
            events.append(Pong(payload))
        else:
            code, reason = read_close_payload(payload)
            self._enter(_ON_CLOSE_RECEIVED[self.state])
            events.append(Close(code, reason))

    def _fail(self, error: WebSocketError, events: list[Event]) -> None:
        self._enter(_ON_FAULT[self.state])
        # Frames of this call, which know `sse`, hang on the traceback, and on the error that it came of.
        error.__context__ = None
        events.append(Failed(error.close_code, error.with_traceback(None)))

    def _enter(self, state: State) -> None:
        self.state = state
        self.sendable = state in _SENDING
        if not self.sendable:
            self.plain = False
        if state not in _READING:
            self._direct = self.pending = False
            self._message = None
            self._rest = b""
        if state is State.CLOSED:
            self._deflate = None

    # -- sending --

    def message(self, message: str | bytes, binary: bool = False) -> bytes:
        """The frame of a message.

        :param message: text, or its UTF-8; with `binary` any bytes.
        :raises ValueError: if nothing may be sent any more; see `sendable`.
        """
        payload = message if type(message) is bytes or not isinstance(message, str) else message.encode()
        size = len(payload)
        if self.plain and size < 126:
            return (SHORT_BINARY if binary else SHORT_TEXT)[size] + payload
        if not self.sendable:
            raise ValueError(f"no message can be sent: the WebSocket is {self.state.value}")
        first = _BINARY if binary else _TEXT
        deflate = self._deflate
        if deflate is not None and deflate.worthwhile(size):
            first |= RSV1
            payload = deflate.compress(payload)
        return self._frame(first, payload)

    def shared(self, message: SharedMessage) -> bytes:
        """The frame of a message that goes to many connections: encoded, and compressed, but once.

        What is shared is compressed on its own; this connection's compressor begins anew behind it.

        :raises ValueError: as `message` does.
        """
        if not self.sendable:
            raise ValueError(f"no message can be sent: the WebSocket is {self.state.value}")
        if self._keys is not None:
            return self.message(message.payload, message.first == _BINARY)  # each mask is another one
        deflate = self._deflate
        if deflate is None or not deflate.worthwhile(len(message.payload)):
            return message.plain
        deflate.release()
        return message.compressed(deflate.window_bits, deflate.policy)

    def ping(self, payload: bytes = b"") -> bytes:
        """The frame of a ping, which the peer will answer with the same payload.

        :raises ValueError: if the payload is over 125 bytes, or nothing may be sent any more.
        """
        if not self.sendable:
            raise ValueError(f"no ping can be sent: the WebSocket is {self.state.value}")
        return self._control(Opcode.PING, payload)

    def pong(self, payload: bytes = b"") -> bytes:
        """The frame of a pong; nothing once this side has closed.

        :raises ValueError: if the payload is over 125 bytes.
        """
        return self._control(Opcode.PONG, payload) if self.sendable else b""

    def close(self, code: int | None = None, reason: str = "") -> bytes:
        """The close frame that begins or answers the closing handshake; nothing if there was one already.

        :param code: None for none; with a reason it is 1000.
        :param reason: for people; up to 123 bytes of UTF-8, see `clipped`.
        :raises ValueError: if the code must not be sent, or the reason is too long.
        """
        payload = close_payload(code, reason)
        if self.state not in _ON_CLOSE_SENT:
            return b""
        self._enter(_ON_CLOSE_SENT[self.state])
        return self._frame(FIN | Opcode.CLOSE, payload)

    def release(self) -> None:
        """Give back what memory can be spared until the next message is sent: the compressor."""
        if self._deflate is not None:
            self._deflate.release()

    def _control(self, opcode: int, payload: bytes) -> bytes:
        if len(payload) > MAX_CONTROL_PAYLOAD:
            raise ValueError(
                f"a control frame takes {MAX_CONTROL_PAYLOAD} bytes of payload, not {len(payload)}"
            )
        return self._frame(FIN | opcode, payload)

    def _frame(self, first: int, payload: bytes) -> bytes:
        return serialize_frame(first, payload, b"" if self._keys is None else self._keys())
