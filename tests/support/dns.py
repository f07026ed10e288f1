"""A DNS server on the loopback interface, with records that a test defines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

A, AAAA, CNAME = 1, 28, 5
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
#: Header bits: the message is a response; it is truncated.
_RESPONSE, _TRUNCATED = 0x8180, 0x0200


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """A name server that responds from its tables. A name that is not in a table does not exist.

    It serves UDP and TCP on one port. The tables may be modified while it is running.
    """

    port: int = 0
    #: Addresses, of either family, by name.
    addresses: dict[str, list[str]] = field(default_factory=dict)
    #: The canonical name of an alias.
    aliases: dict[str, str] = field(default_factory=dict)
    #: Response codes by name.
    codes: dict[str, int] = field(default_factory=dict)
    #: Names for which responses over UDP are truncated.
    truncated: set[str] = field(default_factory=set)
    #: Names to ignore, with the number of further queries to ignore.
    silent: dict[str, int] = field(default_factory=dict)
    #: The queries received: name, type, and whether over TCP.
    queries: list[tuple[str, int, bool]] = field(default_factory=list)
    #: Called with the name of each query after it has been added to `queries`.
    on_query: Callable[[str], None] = lambda name: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self.transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        answer = self.answer(data, tcp=False)
        if answer is not None:
            self.transport.sendto(answer, peer)  # type: ignore[attr-defined]

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self.answer(await reader.readexactly(size), tcp=True)
                if answer is not None:
                    writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()

    def answer(self, query: bytes, tcp: bool) -> bytes | None:
        """Return the response to ``query``, or None to ignore it."""
        name, end = _read_name(query, 12)
        kind, _class = struct.unpack_from("!HH", query, end)
        self.queries.append((name, kind, tcp))
        self.on_query(name)
        if self.silent.get(name):
            self.silent[name] -= 1
            return None
        flags = _RESPONSE | self.codes.get(name, NO_ERROR if self._knows(name) else NO_SUCH_NAME)
        truncated = name in self.truncated and not tcp
        records = [] if flags & 15 or truncated else list(self._records(name, kind))
        head = query[:2] + struct.pack("!HHHHH", flags | _TRUNCATED * truncated, 1, len(records), 0, 0)
        return head + query[12 : end + 4] + b"".join(records)

    def _knows(self, name: str) -> bool:
        return name in self.addresses or name in self.aliases

    def _records(self, name: str, kind: int) -> list[bytes]:
        found = []
        while name in self.aliases:
            target = self.aliases[name]
            found.append(_record(name, CNAME, _write_name(target)))
            name = target
        for address in self.addresses.get(name, []):
            family, its_kind = (socket.AF_INET6, AAAA) if ":" in address else (socket.AF_INET, A)
            if kind == its_kind:
                found.append(_record(name, kind, socket.inet_pton(family, address)))
        return found


def _read_name(message: bytes, start: int) -> tuple[str, int]:
    labels = []
    while size := message[start]:
        labels.append(message[start + 1 : start + 1 + size].decode("ascii"))
        start += 1 + size
    return ".".join(labels).lower(), start + 1


def _write_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".")) + b"\0"


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _write_name(name) + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


@contextlib.asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """Run a name server on an unused port."""
    loop = asyncio.get_running_loop()
    made = NameServer()
    listener = await asyncio.start_server(made.serve_tcp, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", made.port))
    try:
        yield made
    finally:
        transport.close()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0)
