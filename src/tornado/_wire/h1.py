"""HTTP/1.0 and HTTP/1.1: octets in, message heads and bodies out (RFC 9112).

Theory of operation
-------------------
A `Reader` serves one direction of one connection, one message after the other. `Reader.receive_data` takes
what the socket gave, `Reader.next_event` gives what can be understood of it: one head, then body octets, then
the end. The http layer asks for the next message with `Reader.start_next` once it is done with one, so a
pipelined request waits, unread, in the buffer.

What is buffered: nothing but what has arrived and has not been asked for. Data that finds the buffer empty is
kept as it is, without a copy; only where a rest meets new data are the two put into a bytearray, which grows
and shrinks at its ends in constant time. An unfinished head is searched for its end from where the last
search stopped. So each octet is looked at a constant number of times, however the input is split.

What is refused and why is told in the modules that read the parts: `startline`, `fields`, `chunked`. After an
error nothing more is read: who disagrees on where a message ends cannot agree on where the next one begins.

Limits
------
`Limits.max_head_size` (431) and, inside it, `Limits.max_request_line` (414); empty lines before a request;
1xx responses before a final one; `Reader.max_body_size` (413), which may be changed while a message is read.
The others are named in the modules of the parts.

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

from tornado._wire.chunked import LAST_CHUNK, ChunkedDecoder, Phase, serialize_chunk
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
from tornado._wire.startline import status_line

__all__ = [
    "LAST_CHUNK",
    "TRANSITIONS",
    "EndOfMessage",
    "Event",
    "Reader",
    "RequestHead",
    "ResponseHead",
    "Role",
    "State",
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


class State(enum.IntEnum):
    """What a `Reader` reads next; see the table in the module's text."""

    HEAD = 0  #: a start line and its fields
    BODY_LENGTH = 1  #: a body of known length
    BODY_CHUNKED = 2  #: a body in the chunked coding
    BODY_UNTIL_CLOSE = 3  #: a body that ends with the connection
    DONE = 4  #: nothing until `Reader.start_next`: the message is complete
    CLOSED = 5  #: nothing any more: the input ended between messages
    ERROR = 6  #: nothing any more: the input was refused


_AFTER_BODY = frozenset({State.DONE, State.ERROR})

#: From each state, the ones that may follow.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.HEAD: frozenset(State),
    State.BODY_LENGTH: _AFTER_BODY | {State.BODY_LENGTH},
    State.BODY_CHUNKED: _AFTER_BODY | {State.BODY_CHUNKED},
    State.BODY_UNTIL_CLOSE: _AFTER_BODY | {State.BODY_UNTIL_CLOSE},
    State.DONE: frozenset({State.DONE, State.HEAD}),
    State.CLOSED: frozenset({State.CLOSED}),
    State.ERROR: frozenset({State.ERROR}),
}

# Looking a member up in an enum costs more than the rest of a step.
_HEAD, _DONE, _CLOSED, _ERROR = State.HEAD, State.DONE, State.CLOSED, State.ERROR
_BODY_LENGTH, _BODY_CHUNKED, _BODY_UNTIL_CLOSE = State.BODY_LENGTH, State.BODY_CHUNKED, State.BODY_UNTIL_CLOSE


class EndOfMessage:
    """The end of a body.

    :ivar trailers_block: trailer lines as Latin-1 text, empty where there are none; apart from the header
        (RFC 9110 section 6.5), and of use to nobody so far.
    """

    __slots__ = ("trailers_block",)

    def __init__(self, trailers_block: str = "") -> None:
        self.trailers_block = trailers_block

    def __repr__(self) -> str:
        return f"EndOfMessage({self.trailers_block!r})"


_END = EndOfMessage()

Event = RequestHead | ResponseHead | EndOfMessage | bytes


class Reader:
    """Reads the messages that arrive on one connection.

    :param role: `Role.SERVER` to read requests, `Role.CLIENT` to read responses.
    :param limits: bounds on sizes and counts.
    :ivar state: what is read next.
    :ivar max_body_size: octets that the body of the message under way may have; `Limits.max_body_size` again
        from the next `start_next` on. It is held against a Content-Length when the head is read and against
        what has come and what is to come at each event after that.
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
        self.role = role
        self.limits = limits
        self.state = _HEAD
        self.max_body_size = limits.max_body_size
        self._buffer: bytes | bytearray = b""
        self._position = 0  # of the first unread octet; 0 while the buffer is empty
        self._scanned = 0  # octets behind it that cannot begin the end of the head
        self._skipped = 0  # empty lines before this request, or 1xx responses before this response
        self._received = 0  # octets of this body already given out
        self._remaining = 0  # octets of this body still to come (BODY_LENGTH)
        self._decoder: ChunkedDecoder | None = None
        self._expected: str | None = None  # the method of the request that is answered (client)
        self._eof = False
        # Heads of up to this size may be read by `read_usual_head`: no limit on sizes would refuse them.
        self._usual_size = _usual_size(limits) if role is _SERVER else -1

    @property
    def buffered(self) -> int:
        """The number of octets that have arrived and have not been read."""
        return len(self._buffer) - self._position

    def receive_data(self, data: bytes) -> None:
        """Take what has arrived; in CLOSED and in ERROR it is dropped.

        :param data: is kept as it is, so it must not change later.
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
        """`receive_data` and `next_event` in one, where ``data`` is one whole request without a body, as most
        requests are; else only the former, and None.

        Of such a request nothing is left to read, so that the next one may follow without `start_next`.
        """
        size = len(data)
        # POST, PUT and PATCH come with a body, most often in the same segment.
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
        """Take note that nothing more will arrive; `next_event` tells what that means."""
        self._eof = True

    def next_event(self) -> Event | None:
        """Read on.

        :return: a head; body octets; `EndOfMessage`, which a head with ``has_body`` False is not followed by;
            or None: more data is needed, or, as `state` tells, nothing will be read.
        :raises HTTPInputError: or a subclass, among them `IncompleteMessage` for an end of input inside a
            message. The reader is in ERROR from then on.
        """
        try:
            return _STEPS[self.state](self)
        except HTTPInputError:
            self.state = _ERROR
            raise

    def start_next(self) -> None:
        """Go on to the next message; the unread rest of the buffer stays.

        :raises RuntimeError: if the message under way is not DONE.
        """
        if self.state is not _DONE:
            raise RuntimeError(f"start_next() called in state {self.state.name}; it has to be DONE")
        self.state = _HEAD
        self._skipped = 0
        self.max_body_size = self.limits.max_body_size

    def expect_response_to(self, method: str) -> None:
        """Say which request the next final response answers: HEAD and CONNECT change its framing (client)."""
        self._expected = method

    def peek(self, size: int) -> bytes:
        """Return the next unread octets, at most `size` of them, and leave them unread."""
        return bytes(memoryview(self._buffer)[self._position : self._position + size])

    def take_buffer(self) -> bytes:
        """Take everything unread out of the reader, for whoever reads the connection from now on."""
        rest = bytes(memoryview(self._buffer)[self._position :])
        self._consume(len(self._buffer))
        self._scanned = 0
        return rest

    def _consume(self, position: int) -> None:
        """What lies before ``position`` has been read."""
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
            # What came alone was shown to `read_usual_head` by `receive_request` before.
            alone = type(buffer) is bytes and len(block) == len(buffer) and block[0] != _P
            usual = None if alone or size > self._usual_size else read_usual_head(block, limits)
            request = usual or parse_request_head(block, limits)
            self._consume(end)  # a head that is refused stays, for `peek`
            self.state = _DONE
            if request.has_body:
                self._begin_body(request)
            return request
        self._consume(end)
        return self._read_response_head(block)

    def _skip_empty_lines(self) -> int:
        # RFC 9112 section 2.2: a robust server ignores at least one empty line before a request line.
        buffer, start = self._buffer, self._position
        while buffer.startswith(_LINE_ENDS, start):
            self._skipped += 1
            if self._skipped > self.limits.max_leading_lines:
                raise HTTPInputError(
                    "Malformed HTTP request line: too many empty lines before it: more than "
                    f"{self.limits.max_leading_lines} (max_leading_lines)"
                )
            start += 2 if buffer[start] == _CR else 1
        self._consume(start)
        return self._position

    def _check_first_octet(self, size: int) -> None:
        # Nobody should wait for the end of what cannot become a request: a TLS greeting, for one.
        if size and self.role is _SERVER and self._buffer[self._position] not in _METHOD_OCTETS:
            raise HTTPInputError("Malformed HTTP request line: it begins with no method")

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
        # The empty line may begin with the last two octets: "\n\r".
        self._scanned = max(size - 2, 0)
        if self._eof:
            if size:
                raise IncompleteMessage("connection closed inside a message head")
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
        self.state = _DONE
        if head.has_body:
            self._begin_body(head)
        return head

    # Bodies

    def _begin_body(self, head: RequestHead | ResponseHead) -> None:
        self._received = 0
        if head.chunked:
            self._decoder = ChunkedDecoder(self.limits)
            self.state = _BODY_CHUNKED
        elif head.content_length is not None:
            self._remaining = head.content_length
            if head.content_length > self.max_body_size:
                limit = f"{self.max_body_size} (max_body_size)"
                raise BodyTooLarge(
                    f"Content-Length too long: {head.content_length} bytes, the limit is {limit}"
                )
            self.state = _BODY_LENGTH
        else:
            self.state = _BODY_UNTIL_CLOSE

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

    def _take(self, most: int) -> bytes | None:
        """Up to ``most`` octets of body from the buffer, or None if it is empty."""
        buffer, start = self._buffer, self._position
        if not buffer:
            return None
        data = buffer[start : start + most]
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
        if decoder.phase is Phase.FINISHED:
            self.state = _DONE
            self._decoder = None
            return EndOfMessage(decoder.trailers_block) if decoder.trailers_block else _END
        if self._eof:
            raise IncompleteMessage("connection closed inside a chunked body")
        return None

    def _read_nothing(self) -> None:
        """DONE, CLOSED and ERROR have no events."""


_SERVER = Role.SERVER
# What a method may begin with (RFC 9110 section 5.6.2), and the line ends that may stand before it.
_METHOD_OCTETS = frozenset(
    b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r\n"
)
_LINE_ENDS = (b"\r\n", b"\n")

_STEPS: tuple[Callable[[Reader], Event | None], ...] = (
    Reader._read_head,
    Reader._read_length,
    Reader._read_chunked,
    Reader._read_until_close,
    Reader._read_nothing,
    Reader._read_nothing,
    Reader._read_nothing,
)


def _usual_size(limits: Limits) -> int:
    if limits.max_header_count < SMALL_FIELDS:
        return -1
    return min(limits.max_head_size, limits.max_request_line)


def _find_head_end(buffer: bytes | bytearray, start: int) -> int:
    """The index behind the first empty line from ``start`` on, or 0.

    Its own line end, and the one before it, may be a bare LF (RFC 9112 section 2.2). The search goes on in
    growing windows, lest a buffer full of requests that all end one way be searched to its end for the other
    way, each time.
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
