"""Parser of HTTP/1.0 and HTTP/1.1: converts bytes to message heads and bodies (RFC 9112).

Theory of operation
-------------------
A `Reader` parses one direction of one connection, message by message. `Reader.receive_data` takes the bytes
read from the socket; `Reader.next_event` returns the next part of the message: the head, then body data, then
the end. The http layer calls `Reader.start_next` after it has processed a message, so a pipelined
request stays in the buffer, unparsed.

Buffering: only data that has arrived and has not been consumed is buffered. Data that arrives while the
buffer is empty is kept without a copy. Data that arrives after unconsumed data is appended to a bytearray,
which grows and shrinks at its ends in constant time. The search for the end of an incomplete head resumes
where the previous search stopped. Each byte is therefore examined a constant number of times, however the
input is split.

The modules that parse the parts of a message, `start_line`, `header_validation` and `chunked`, state which
input they reject, and why. Nothing is read after an error: two parties that disagree about the end of a
message cannot agree about the beginning of the next one.

Limits
------
The following are limited: the size of the head (`Limits.max_head_size`, status 431) and of the request line
within it (`Limits.max_request_line`, 414); the number of empty lines before a request and of 1xx responses
before a final response; and the size of the body (`Reader.max_body_size`, 413), whose limit may change while
a message is being read. The modules that parse the parts list the other limits.

States
------
=====================  ==============================================  =======================================
state                  event                                           next state
=====================  ==============================================  =======================================
HEAD                   head without a body                             DONE; for a 1xx other than 101, HEAD
HEAD                   head with Content-Length                        BODY_LENGTH
HEAD                   head with chunked coding                        BODY_CHUNKED
HEAD                   head of a response with neither                 BODY_UNTIL_CLOSE
HEAD                   end of input between messages                   CLOSED
BODY_LENGTH, _CHUNKED  body octets                                     the same
BODY_LENGTH, _CHUNKED  EndOfMessage                                    DONE
BODY_UNTIL_CLOSE       body octets                                     the same
BODY_UNTIL_CLOSE       EndOfMessage, at the end of input               DONE
DONE                   `start_next`                                    HEAD
HEAD, BODY_*           error                                           ERROR
=====================  ==============================================  =======================================
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from tornado._wire.chunked import LAST_CHUNK, ChunkedDecoder, ChunkPhase, serialize_chunk
from tornado._wire.errors import (
    BodyTooLarge,
    HeadTooLarge,
    HTTPInputError,
    IncompleteMessage,
    RequestTargetTooLong,
    TooManyInterimResponses,
)
from tornado._wire.heads import (
    SMALL,
    SMALL_FIELDS,
    RequestHead,
    ResponseHead,
    known_head,
    parse_request_head,
    parse_response_head,
    read_usual_head,
)
from tornado._wire.limits import DEFAULT, Limits
from tornado._wire.start_line import status_line
from tornado._wire.state_machine import State, permit

__all__ = [
    "LAST_CHUNK",
    "TRANSITIONS",
    "EndOfMessage",
    "Event",
    "Reader",
    "RequestHead",
    "ResponseHead",
    "Role",
    "ReaderState",
    "ends_chunked_body",
    "parse_request_head",
    "parse_response_head",
    "serialize_chunk",
    "status_line",
]

_CR, _LF = b"\r\n"
_P = ord("P")


class Role(enum.Enum):
    """Which side this program is: a server reads requests, a client reads responses."""

    SERVER = "server"
    CLIENT = "client"


class ReaderState(State):
    """The part of a message that a `Reader` reads next; see the table in the module docstring."""

    HEAD = 0  #: a start line and its fields
    BODY_LENGTH = 1  #: a body of known length
    BODY_CHUNKED = 2  #: a body in the chunked transfer coding
    BODY_UNTIL_CLOSE = 3  #: a body that ends with the connection
    DONE = 4  #: nothing until `Reader.start_next`, because the message is complete
    CLOSED = 5  #: nothing, because the input ended between messages
    ERROR = 6  #: nothing, because the input was rejected


_AFTER_BODY = frozenset({ReaderState.DONE, ReaderState.ERROR})

#: The states that may follow each state. `Reader.next_event` checks each change of the state.
TRANSITIONS: dict[ReaderState, frozenset[ReaderState]] = {
    ReaderState.HEAD: frozenset(ReaderState) - {ReaderState.HEAD},
    ReaderState.BODY_LENGTH: _AFTER_BODY,
    ReaderState.BODY_CHUNKED: _AFTER_BODY,
    ReaderState.BODY_UNTIL_CLOSE: _AFTER_BODY,
    ReaderState.DONE: frozenset({ReaderState.HEAD}),
    ReaderState.CLOSED: frozenset(),
    ReaderState.ERROR: frozenset(),
}
permit(TRANSITIONS)

# These are module globals, because looking up an enum member costs more than the rest of a step.
_HEAD, _DONE, _CLOSED, _ERROR = ReaderState.HEAD, ReaderState.DONE, ReaderState.CLOSED, ReaderState.ERROR
_BODY_LENGTH, _BODY_CHUNKED, _BODY_UNTIL_CLOSE = (
    ReaderState.BODY_LENGTH,
    ReaderState.BODY_CHUNKED,
    ReaderState.BODY_UNTIL_CLOSE,
)


class EndOfMessage:
    """The end of a body.

    :ivar trailers_block: the trailer section as Latin-1 text; empty if there is none. It is kept separate
        from the header section (RFC 9110 section 6.5) and is not used yet.
    """

    __slots__ = ("trailers_block",)

    def __init__(self, trailers_block: str = "") -> None:
        self.trailers_block: str = trailers_block

    def __repr__(self) -> str:
        return f"EndOfMessage({self.trailers_block!r})"


_END = EndOfMessage()

Event = RequestHead | ResponseHead | EndOfMessage | bytes


class Reader:
    """A parser of the messages that arrive on one connection.

    :param role: `Role.SERVER` to read requests, `Role.CLIENT` to read responses.
    :param limits: bounds on sizes and counts.
    :ivar state: the part of a message that is read next.
    :ivar max_body_size: the maximum size of the current message's body, in bytes. `start_next` resets it to
        `Limits.max_body_size`. It is compared with Content-Length when the head is parsed, and at each later
        event with the number of bytes received and still expected.
    """

    __slots__ = (
        "_buffer",
        "_decoder",
        "_eof",
        "_expected",
        "_position",
        "_received",
        "_remaining",
        "_scanned",
        "_skipped",
        "_usual_size",
        "limits",
        "max_body_size",
        "role",
        "state",
    )

    def __init__(self, role: Role, limits: Limits = DEFAULT) -> None:
        self.role: Role = role
        self.limits: Limits = limits
        self.state: ReaderState = _HEAD
        self.max_body_size: int = limits.max_body_size
        self._buffer: bytes | bytearray = b""
        self._position = 0  # index of the first unread byte; 0 while the buffer is empty
        self._scanned = 0  # bytes after `_position` in which the head cannot end
        self._skipped = 0  # empty lines before this request, or 1xx responses before this response
        self._received = 0  # bytes of this body already returned
        self._remaining = 0  # bytes of this body still expected (BODY_LENGTH)
        self._decoder: ChunkedDecoder | None = None
        self._expected: str | None = None  # the method of the request being answered (client)
        self._eof = False
        # `read_usual_head` may read heads of up to this size, because no size limit rejects them.
        self._usual_size = _usual_size(limits) if role is _SERVER else -1

    def __repr__(self) -> str:
        return f"<Reader {self.role.value} {self.state.name}, {self.buffered} bytes buffered>"

    @property
    def buffered(self) -> int:
        """The number of bytes that have arrived and have not been consumed."""
        return len(self._buffer) - self._position

    def receive_data(self, data: bytes) -> None:
        """Buffer data read from the socket. In the states CLOSED and ERROR, discard the data.

        :param data: kept without a copy, so it must not change later.
        """
        buffer = self._buffer
        if self.state is _ERROR or self.state is _CLOSED:
            return
        if not buffer:
            self._buffer = data
        elif type(buffer) is bytearray:
            if self._position:
                del buffer[: self._position]
                self._position = 0
            buffer += data
        else:
            joined = bytearray(memoryview(buffer)[self._position :])
            joined += data
            self._buffer = joined
            self._position = 0

    def receive_request(self, data: bytes) -> RequestHead | None:
        """Buffer data, or return the head if ``data`` is exactly one request without a body.

        This is the fast path of `receive_data` followed by `next_event`. No part of such a request remains to
        be read, so the next request may follow without `start_next`. Any other data is only buffered, and the
        result is None.
        """
        size = len(data)
        # POST, PUT and PATCH have a body, usually in the same segment.
        if 0 < size <= self._usual_size and data[0] != _P and not self._buffer and self.state is _HEAD:
            head = known_head(data) if size <= SMALL else None
            if head is None:
                head = read_usual_head(data, self.limits)
            if head is not None and not head.has_body:
                self._skipped = 0
                return head
        self.receive_data(data)
        return None

    def receive_eof(self) -> None:
        """Record the end of input, which the next call of `next_event` processes."""
        self._eof = True

    def next_event(self) -> Event | None:
        """Return the next part of the current message.

        :returns: a head; body data; `EndOfMessage`, which does not follow a head with ``has_body`` False; or
            None if more data is needed or `state` does not allow reading.
        :raises HTTPInputError: if the input is rejected. The error may be of a subclass, such as
            `IncompleteMessage` if the input ends within a message. The reader stays in ERROR.
        """
        state = self.state
        try:
            event = _STEPS[state](self)
        except HTTPInputError:
            self.state = _ERROR
            raise
        finally:
            after = self.state
            if after is not state:
                _ = state.to[after]
        return event

    def start_next(self) -> None:
        """Start reading the next message. Unconsumed data stays in the buffer.

        :raises RuntimeError: if the current message is not DONE.
        """
        if self.state is not _DONE:
            raise RuntimeError(f"start_next() requires state DONE, got {self.state.name}")
        self.state = _HEAD
        self._skipped = 0
        self.max_body_size = self.limits.max_body_size

    def expect_response_to(self, method: str) -> None:
        """Set the method of the request that the next final response answers (client).

        HEAD and CONNECT change the framing of the response (RFC 9112 section 6.3).
        """
        self._expected = method

    def peek(self, size: int) -> bytes:
        """Return at most `size` unread bytes without consuming them."""
        return bytes(memoryview(self._buffer)[self._position : self._position + size])

    def take_buffer(self) -> bytes:
        """Remove and return all unread data, for the protocol that takes over the connection."""
        rest = bytes(memoryview(self._buffer)[self._position :])
        self._consume(len(self._buffer))
        self._scanned = 0
        return rest

    def body_remaining(self, head: RequestHead | ResponseHead) -> int:
        """Return how many bytes of the body of the current message have not arrived; -1 if unknown.

        :param head: the head of the message. Its body may have been rejected.
        """
        if not head.has_body:
            return 0
        if head.content_length is not None:
            return max(head.content_length - self._received - self.buffered, 0)
        if self._decoder is not None and self._decoder.phase is _CHUNKS_FINISHED:
            return 0
        start = max(self._position, len(self._buffer) - len(_CHUNKED_END))
        return 0 if ends_chunked_body(bytes(self._buffer[start:])) else -1

    def _consume(self, position: int) -> None:
        """Mark everything before ``position`` as read."""
        if position == len(self._buffer):
            self._buffer = b""
            self._position = 0
        else:
            self._position = position

    # Heads

    def _read_head(self) -> RequestHead | ResponseHead | None:
        buffer = self._buffer
        start = self._position
        if not self._scanned and self.role is _SERVER and buffer.startswith(_LINE_ENDS, start):
            start = self._skip_empty_lines()
            buffer = self._buffer
        end = _find_head_end(buffer, start + self._scanned)
        limits = self.limits
        size = (end or len(buffer)) - start
        oversized = size > limits.max_request_line or size > limits.max_head_size
        if oversized or not end:
            self._check_first_octet(size)
        if oversized:
            self._check_head_size(size)
        if not end:
            self._await_head(size)
            return None
        self._scanned = 0
        block = buffer[start:end]
        if type(block) is not bytes:
            block = bytes(block)
        if self.role is _SERVER:
            # `receive_request` has already tried `read_usual_head` on a head that arrived alone.
            alone = type(buffer) is bytes and len(block) == len(buffer) and block[0] != _P
            usual = None if alone or size > self._usual_size else read_usual_head(block, limits)
            request = usual or parse_request_head(block, limits)
            self._consume(end)  # only now, because a rejected head stays in the buffer for `peek`
            self.state = self._begin_body(request) if request.has_body else _DONE
            return request
        self._consume(end)
        return self._read_response_head(block)

    def _skip_empty_lines(self) -> int:
        # RFC 9112 section 2.2: a server should ignore at least one empty line before a request line.
        buffer, start = self._buffer, self._position
        while buffer.startswith(_LINE_ENDS, start):
            self._skipped += 1
            if self._skipped > self.limits.max_leading_lines:
                raise HTTPInputError(
                    "Malformed HTTP request line: more than "
                    f"{self.limits.max_leading_lines} empty lines before it (max_leading_lines)"
                )
            start += 2 if buffer[start] == _CR else 1
        self._consume(start)
        return self._position

    def _check_first_octet(self, size: int) -> None:
        # Reject data that cannot become a request, such as a TLS ClientHello, without waiting for its end.
        if size and self.role is _SERVER and self._buffer[self._position] not in _METHOD_OCTETS:
            raise HTTPInputError("Malformed HTTP request line: it does not begin with a method")

    def _check_head_size(self, size: int) -> None:
        limits = self.limits
        start = self._position
        line_limit = min(limits.max_request_line, limits.max_head_size)
        if self._buffer.find(b"\n", start, start + line_limit) < 0:
            if self.role is _SERVER:
                raise RequestTargetTooLong(f"request line longer than {line_limit} bytes (max_header_size)")
            raise HeadTooLarge(f"status line longer than {line_limit} bytes (max_header_size)")
        if size > limits.max_head_size:
            raise HeadTooLarge(f"message head longer than {limits.max_head_size} bytes (max_header_size)")

    def _await_head(self, size: int) -> None:
        # The last two bytes, "\n\r", may be the beginning of the empty line.
        self._scanned = max(size - 2, 0)
        if self._eof:
            if size:
                raise IncompleteMessage("connection closed within a message head")
            self.state = _CLOSED

    def _read_response_head(self, block: bytes) -> ResponseHead:
        head = parse_response_head(block, self.limits, self._expected)
        if head.code < 200 and head.code != 101:
            self._skipped += 1
            if self._skipped > self.limits.max_1xx:
                raise TooManyInterimResponses(
                    f"Too many 1xx responses: more than {self.limits.max_1xx} (max_1xx)"
                )
            return head
        self._expected = None
        self.state = self._begin_body(head) if head.has_body else _DONE
        return head

    # Bodies

    def _begin_body(self, head: RequestHead | ResponseHead) -> ReaderState:
        """Prepare for the body of a message; return the state in which it is read."""
        self._received = 0
        if head.chunked:
            self._decoder = ChunkedDecoder(self.limits)
            return _BODY_CHUNKED
        if head.content_length is None:
            return _BODY_UNTIL_CLOSE
        self._remaining = head.content_length
        if head.content_length > self.max_body_size:
            limit = f"{self.max_body_size} (max_body_size)"
            raise BodyTooLarge(f"Content-Length too long: {head.content_length} bytes; the limit is {limit}")
        return _BODY_LENGTH

    def _read_length(self) -> bytes | EndOfMessage | None:
        remaining = self._remaining
        if self._received + remaining > self.max_body_size:
            raise BodyTooLarge(f"Body too long: over the limit of {self.max_body_size} bytes (max_body_size)")
        if not remaining:
            self.state = _DONE
            return _END
        data = self._take(remaining)
        if data is not None:
            self._remaining = remaining - len(data)
            return data
        if self._eof:
            raise IncompleteMessage(f"connection closed {remaining} bytes before the end of the body")
        return None

    def _read_until_close(self) -> bytes | EndOfMessage | None:
        if self._received + self.buffered > self.max_body_size:
            raise BodyTooLarge(f"Body too long: over the limit of {self.max_body_size} bytes (max_body_size)")
        data = self._take(self.buffered)
        if data is not None:
            return data
        if self._eof:
            self.state = _DONE
            return _END
        return None

    def _take(self, max_size: int) -> bytes | None:
        """Return up to ``max_size`` bytes of the body from the buffer, or None if the buffer is empty."""
        buffer, start = self._buffer, self._position
        if not buffer:
            return None
        data = buffer[start : start + max_size]
        self._received += len(data)
        self._consume(start + len(data))
        return bytes(data)

    def _read_chunked(self) -> bytes | EndOfMessage | None:
        decoder = self._decoder
        assert decoder is not None
        data, position = decoder.decode(self._buffer, self._position, self.max_body_size)
        self._consume(position)
        if data:
            return data
        if decoder.phase is _CHUNKS_FINISHED:
            self.state = _DONE
            self._decoder = None
            return EndOfMessage(decoder.trailers_block) if decoder.trailers_block else _END
        if self._eof:
            raise IncompleteMessage("connection closed within a chunked body")
        return None

    def _read_nothing(self) -> None:
        """Return None: DONE, CLOSED and ERROR have no events."""


_SERVER = Role.SERVER
_CHUNKS_FINISHED = ChunkPhase.FINISHED
# The first byte of a method (RFC 9110 section 5.6.2) or of the empty lines that may precede it.
_METHOD_OCTETS = frozenset(
    b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r\n"
)
_LINE_ENDS = (b"\r\n", b"\n")
_CHUNKED_END = b"\r\n" + LAST_CHUNK

_STEPS: dict[ReaderState, Callable[[Reader], Event | None]] = {
    _HEAD: Reader._read_head,
    _BODY_LENGTH: Reader._read_length,
    _BODY_CHUNKED: Reader._read_chunked,
    _BODY_UNTIL_CLOSE: Reader._read_until_close,
    _DONE: Reader._read_nothing,
    _CLOSED: Reader._read_nothing,
    _ERROR: Reader._read_nothing,
}


def ends_chunked_body(data: bytes) -> bool:
    """Whether a chunked body whose last received bytes are `data` seems to be complete.

    This is a guess, for a body whose end cannot be found because its decoder has rejected it. If the guess is
    wrong, the only effect must be that the connection closes early.
    """
    return data.endswith(_CHUNKED_END) or data == LAST_CHUNK


def _usual_size(limits: Limits) -> int:
    if limits.max_header_count < SMALL_FIELDS:
        return -1
    return min(limits.max_head_size, limits.max_request_line)


def _find_head_end(buffer: bytes | bytearray, start: int) -> int:
    """Return the index after the first empty line at or after ``start``, or 0 if it has not arrived.

    The line end of the empty line, and the preceding one, may be a bare LF (RFC 9112 section 2.2). The search
    uses growing windows: in a buffer full of pipelined requests that all end in CRLF, an unbounded search for
    LF LF would scan the whole buffer for each request.
    """
    window = 2048
    while True:
        limit = start + window
        crlf = buffer.find(b"\n\r\n", start, limit)
        lf = buffer.find(b"\n\n", start, limit if crlf < 0 else crlf + 1)
        if lf >= 0:
            return lf + 2
        if crlf >= 0:
            return crlf + 3
        if limit >= len(buffer):
            return 0
        start = limit - 2
        window *= 4
