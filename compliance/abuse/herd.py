"""A set of connections controlled by one attacker."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable

#: Attackers and the probe use different addresses, so that limits per address do not affect the probe.
FIRST_SOURCE = "127.0.0.2"
_ON_ITS_WAY = (errno.EINPROGRESS, errno.EAGAIN, errno.EWOULDBLOCK)


class Member:
    """A connection, with its unsent data, its received data, and the time at which it was closed."""

    __slots__ = ("closed_at", "received", "sock", "unsent")

    def __init__(self, sock: socket.socket, first: bytes) -> None:
        self.sock = sock
        self.unsent = first
        self.received = b""
        self.closed_at: float | None = None


class Herd:
    """`count` connections to a port of 127.0.0.1.

    :param first: data that each connection sends immediately.
    :param sources: number of source addresses, which are used in turn.
    :param reads: whether received data is read.
    :param small: use a small receive buffer, so that the server's output blocks early.
    """

    def __init__(
        self,
        port: int,
        count: int,
        first: bytes = b"",
        *,
        sources: int = 1,
        reads: bool = True,
        small: bool = False,
    ) -> None:
        self._port = port
        self._reads = reads
        self._small = small
        self.sent = 0
        self.begun = time.monotonic()
        self._poll = select.poll()
        self._open: dict[int, Member] = {}
        self.members: list[Member] = []
        for number in range(count):
            self._add(number % sources, first)
            if number % 64 == 63:
                # Do not connect faster than the server accepts: connections that find the listener's queue
                # full are retried by the kernel seconds later.
                self.run(0.005)

    def _add(self, source: int, first: bytes) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # The kernel chooses the port in connect(), which allows more connections than there are ports.
        sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        sock.bind((f"127.0.{source // 250}.{source % 250 + 2}", 0))
        error = sock.connect_ex(("127.0.0.1", self._port))
        member = Member(sock, first)
        self.members.append(member)
        if error and error not in _ON_ITS_WAY:
            self._end(member)
            return
        self._open[sock.fileno()] = member
        self._poll.register(sock, self._poll_events(member))

    def _poll_events(self, member: Member) -> int:
        wanted = select.POLLOUT if member.unsent else 0
        return wanted | (select.POLLIN if self._reads else 0)

    def run(self, seconds: float) -> None:
        """Send pending data and read received data for `seconds`."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready = self._poll.poll(max(0, min(left, 0.1)) * 1000)
            for number, event in ready:
                member = self._open.get(number)
                if member is not None:
                    self._serve(member, event)
            if left <= 0 or not self._open:
                return

    def _serve(self, member: Member, event: int) -> None:
        try:
            if event & select.POLLOUT and member.unsent:
                count = member.sock.send(member.unsent)
                self.sent += count
                member.unsent = member.unsent[count:]
                if not member.unsent:
                    self._poll.modify(member.sock, self._poll_events(member))
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                data = member.sock.recv(65536)
                if data:
                    member.received = (member.received + data)[:200]
                else:
                    self._end(member)
        except BlockingIOError:
            return
        except OSError:
            self._end(member)

    def _end(self, member: Member) -> None:
        member.closed_at = time.monotonic() - self.begun
        if member.sock.fileno() >= 0 and self._open.pop(member.sock.fileno(), None) is not None:
            self._poll.unregister(member.sock)
        member.sock.close()

    def add(self, data: bytes) -> None:
        """Queue more data on each open connection."""
        for member in self._open.values():
            member.unsent += data
            self._poll.modify(member.sock, self._poll_events(member))

    def each(self, action: Callable[[socket.socket], None]) -> None:
        """Call a function with the socket of each open connection."""
        for member in list(self._open.values()):
            try:
                action(member.sock)
            except OSError:
                self._end(member)

    @property
    def held(self) -> int:
        """Return the number of connections that the server has not closed, as far as known."""
        return len(self._open)

    def close(self) -> None:
        """Close all open connections."""
        for member in self._open.values():
            self._poll.unregister(member.sock)
            member.sock.close()
        self._open.clear()

    def outcome(self) -> dict[str, object]:
        """Return what happened to the connections."""
        ends = [member.closed_at for member in self.members if member.closed_at is not None]
        answers: dict[str, int] = {}
        for member in self.members:
            code = member.received.split(b" ", 2)[1].decode() if member.received[:5] == b"HTTP/" else ""
            if code:
                answers[code] = answers.get(code, 0) + 1
        return {
            "opened": len(self.members),
            "held": self.held,
            "last_closed": round(max(ends), 1) if ends else None,
            "answers": answers,
            "sent": self.sent,
        }
