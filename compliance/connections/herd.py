"""Many WebSocket connections in one client, which does not use the package under test.

The client implements as much of RFC 6455 as an echo needs. Each received byte is compared with the expected
one.
"""

from __future__ import annotations

import base64
import hashlib
import selectors
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

#: The timeout for the handshake, for an echo, and for closing a connection, in seconds.
TIMEOUT = 60.0
#: The number of concurrent handshakes. With more, the listen queue could overflow, which delays connections
#: by seconds.
MAX_PENDING = 64
#: The number of connections for each source address; Linux has 28,000 ephemeral ports per address.
PER_SOURCE = 5_000
#: The size of a message, in bytes.
SIZE = 32
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_TEXT, _CLOSE = 0x81, 0x88
_NORMAL = struct.pack("!H", 1000)
_IP_BIND_ADDRESS_NO_PORT = 24  # a constant of Linux that Python's socket module lacks


@dataclass(frozen=True)
class Target:
    """The parts of a URL ``ws://host:port/path``."""

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Parse `url`.

        :raises ValueError: if it is not a URL of this form.
        """
        parts = urlsplit(url)
        if parts.scheme != "ws" or not parts.hostname:
            raise ValueError(f"URL must begin with ws:// and contain a host, got {url!r}")
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.hostname, parts.port or 80, (parts.path or "/") + query)


@dataclass(frozen=True)
class Plan:
    """The schedule of the messages: each connection sends a message every `period` seconds, `rounds` times;
    the messages of all connections are spread evenly.

    :ivar connections: the number of connections of all clients.
    :ivar period: the interval in seconds; 0 to send the messages without pauses.
    """

    connections: int
    period: float
    rounds: int

    def moments(self, numbers: Sequence[int]) -> Iterator[tuple[float, int, int]]:
        """Yield the seconds from the start, the round and the number of the connection, in order of time."""
        for turn in range(self.rounds):
            for number in numbers:
                yield (turn + number / self.connections) * self.period, turn, number


def frame(kind: int, payload: bytes, mask: int) -> bytes:
    """Return a frame of a client with less than 126 bytes of payload (RFC 6455 section 5.2)."""
    key = struct.pack("!I", mask)
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return bytes((kind, 0x80 | len(payload))) + key + mixed.to_bytes(len(payload), "big")


class Member:
    """One connection.

    :ivar expected: the bytes to be received next (for the response to the handshake, the end of its head);
        empty if nothing is expected.
    """

    __slots__ = ("expected", "is_open", "number", "received", "sent_at", "sock")

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self.sock = sock
        self.is_open = False
        self.expected = b""
        self.received = b""
        self.sent_at = 0.0

    @property
    def key(self) -> bytes:
        """The ``Sec-WebSocket-Key`` that this client sends in its handshake."""
        return base64.b64encode(self.number.to_bytes(16, "big"))

    @property
    def accept(self) -> bytes:
        """The value of ``Sec-WebSocket-Accept`` that the server must send."""
        return base64.b64encode(hashlib.sha1(self.key + _MAGIC).digest())


class Herd:
    """The connections with these `numbers`. Call `open`, `hold` and `close`, in this order.

    :ivar errors: the number of errors by description.
    :ivar latencies: the seconds from each message to its echo.
    """

    def __init__(self, target: Target, numbers: Sequence[int]) -> None:
        self.errors: Counter[str] = Counter()
        self.latencies: list[float] = []
        self._target = target
        self._numbers = numbers
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)[0]
        self._family, self._address = found[0], found[4]
        self._selector = selectors.DefaultSelector()
        self._members: dict[int, Member] = {}
        #: The number of connections that expect data.
        self._pending = 0
        self._last_check = 0.0

    # -- phases --

    def open(self) -> None:
        """Open the connections, including the handshakes."""
        for number in self._numbers:
            self._connect(number)
            while self._pending >= MAX_PENDING:
                self._poll(1.0)
        self._wait_for_all()

    def hold(self, plan: Plan, start: float) -> None:
        """Send all messages at their scheduled times, and wait for the last echo.

        :param start: the start time, in seconds of `time.monotonic`; the same for all clients.
        """
        # With a schedule, messages do not wait for late echoes, because waiting would hide further delays.
        max_pending = len(self._numbers) if plan.period else MAX_PENDING
        for moment, turn, number in plan.moments(self._numbers):
            while self._members and (remaining := start + moment - time.monotonic()) > 0:
                self._poll(remaining)
            while self._pending > max_pending:
                self._poll(1.0)
            self._poll(0)
            if number in self._members:
                self._send_message(self._members[number], turn)
        self._wait_for_all()

    def close(self) -> None:
        """Close the connections with the closing handshake; the server must reply and close the stream."""
        for member in list(self._members.values()):
            self._await(member, bytes((_CLOSE, len(_NORMAL))) + _NORMAL)
            self._send(member, frame(_CLOSE, _NORMAL, member.number))
            while self._pending >= MAX_PENDING:
                self._poll(1.0)
        self._wait_for_all()
        self._selector.close()

    @property
    def size(self) -> int:
        """The number of open connections."""
        return len(self._members)

    # -- implementation --

    def _connect(self, number: int) -> None:
        sock = socket.socket(self._family)
        sock.settimeout(TIMEOUT)
        try:
            if sys.platform == "linux" and str(self._address[0]).startswith("127."):
                sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                sock.bind((f"127.0.0.{2 + number // PER_SOURCE}", 0))
            sock.connect(self._address)
        except OSError as error:
            self.errors[f"connecting: {error}"] += 1
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        member = self._members[number] = Member(number, sock)
        self._selector.register(sock, selectors.EVENT_READ, member)
        self._await(member, b"\r\n\r\n")
        lines = (
            f"GET {self._target.path} HTTP/1.1",
            f"Host: {self._target.host}:{self._target.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {member.key.decode()}",
        )
        self._send(member, ("\r\n".join(lines) + "\r\n\r\n").encode())

    def _send_message(self, member: Member, turn: int) -> None:
        if member.expected:
            self._fail(member, "no echo before the next message was due")
            return
        text = f"{member.number} says this in round {turn}".encode().ljust(SIZE)
        self._await(member, bytes((_TEXT, len(text))) + text)
        self._send(member, frame(_TEXT, text, member.number * 2_654_435_761 % 2**32))

    def _await(self, member: Member, expected: bytes) -> None:
        """Set the data that a connection expects next; it must not expect any yet."""
        self._pending += 1
        member.expected = expected
        member.sent_at = time.monotonic()

    def _send(self, member: Member, data: bytes) -> None:
        # The socket's send buffer has room for such a small message, unless the server does not read.
        try:
            sent = member.sock.send(data)
        except OSError as error:
            self._fail(member, f"sending: {error}")
            return
        if sent != len(data):
            self._fail(member, "sending: the server does not read")

    def _poll(self, seconds: float) -> None:
        """Wait up to `seconds` for data from the server, and process the received data."""
        for key, _ in self._selector.select(max(seconds, 0)):
            member: Member = key.data
            try:
                data = member.sock.recv(65536)
            except OSError as error:
                self._fail(member, f"receiving: {error}")
                continue
            if data:
                self._receive(member, data)
            else:
                self._ended(member)
        now = time.monotonic()
        if now > self._last_check + 1.0:
            self._last_check = now
            self._expire(now - TIMEOUT)

    def _expire(self, since: float) -> None:
        """Close each connection that has waited since `since` or longer, and count a timeout."""
        for member in list(self._members.values()):
            if member.expected and member.sent_at < since:
                self._fail(member, f"no response within {TIMEOUT:.0f} seconds")

    def _receive(self, member: Member, data: bytes) -> None:
        member.received += data
        if not member.is_open:
            self._shake_hands(member)
        elif member.received == member.expected:
            if member.expected[0] == _TEXT:
                self.latencies.append(time.monotonic() - member.sent_at)
                self._expectation_met(member)
        elif not member.expected.startswith(member.received):
            self._fail(member, f"wrong bytes: {member.received[:60]!r}")

    def _shake_hands(self, member: Member) -> None:
        head, end, rest = member.received.partition(member.expected)
        if not end:
            return
        line, *fields = head.split(b"\r\n")
        pairs = {name.lower(): value.strip() for name, _, value in (each.partition(b":") for each in fields)}
        accepted = line.startswith(b"HTTP/1.1 101 ") and pairs.get(b"sec-websocket-accept") == member.accept
        if accepted and not rest:
            member.is_open = True
            self._expectation_met(member)
        else:
            self._fail(member, f"invalid response to the handshake: {line!r}")

    def _expectation_met(self, member: Member) -> None:
        """Record that the expected data has been received."""
        member.expected = member.received = b""
        self._pending -= 1

    def _ended(self, member: Member) -> None:
        if member.expected[:1] == bytes((_CLOSE,)) and member.received == member.expected:
            self._drop(member)
        else:
            self._fail(member, "the server has closed the connection")

    def _fail(self, member: Member, error: str) -> None:
        self.errors[error] += 1
        self._drop(member)

    def _drop(self, member: Member) -> None:
        if member.expected:
            self._expectation_met(member)
        self._selector.unregister(member.sock)
        member.sock.close()
        del self._members[member.number]

    def _wait_for_all(self) -> None:
        while self._pending:
            self._poll(1.0)
