"""Clients that count successful requests, failed requests and wrong responses.

They use plain asyncio streams, so that they do not depend on the tested code. As a program, ``python -m
compliance.faults.load --address A --port N --requests N`` prints the counts as JSON, for clients in another
network namespace.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import hashlib
import json
import ssl
from dataclasses import dataclass

from compliance.faults.server import BIG

_UPLOAD = BIG[: 300 * 1024]
_DIGEST = hashlib.sha256(_UPLOAD).hexdigest().encode()
#: Paths, request bodies and expected responses, used in turn.
MIXED: tuple[tuple[str, bytes | None, bytes], ...] = (
    ("/", None, b"Hello, world"),
    ("/later", None, b"Hello, world"),
    ("/", None, b"Hello, world"),
    ("/big", None, BIG),
    ("/whole", _UPLOAD, _DIGEST),
    ("/stream", None, BIG),
    ("/upload", _UPLOAD, _DIGEST),
    ("/file", None, BIG),
)
#: The timeout of a request in seconds. Faults have an immediate effect; lost packets are sent again within
#: this time.
TIMEOUT = 60.0


@dataclass
class Counts:
    """The outcomes of the requests."""

    requests: int = 0
    failures: int = 0
    wrong: int = 0


@dataclass
class Target:
    """The server."""

    address: str
    port: int
    context: ssl.SSLContext | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        name = "localhost" if self.context else None
        return await asyncio.open_connection(
            self.address, self.port, ssl=self.context, server_hostname=name, limit=2**22
        )


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes | None
) -> tuple[int, bytes]:
    """Send a request and receive the response."""
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if body is not None:
        head += f"Content-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"\r\n" + (body or b""))
    answer = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in answer[:-4].split(b"\r\n")[1:])
    if b"content-length" in fields:
        content = await reader.readexactly(int(fields[b"content-length"]))
    else:
        content = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    return int(answer.split(b" ", 2)[1]), content


async def client(target: Target, requests: int, first: int, counts: Counts) -> None:
    """Send `requests` requests on one connection, and on a new one after each failure."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for number in range(first, first + requests):
        path, body, right = MIXED[number % len(MIXED)]
        counts.requests += 1
        try:
            async with asyncio.timeout(TIMEOUT):
                if connection is None:
                    connection = await target.connect()
                answer = await exchange(*connection, path, body)
            if answer != (200, right):
                counts.wrong += 1
        except (OSError, EOFError):  # TimeoutError is an OSError, IncompleteReadError an EOFError
            counts.failures += 1
            if connection is not None:
                await _close(connection[1])
            connection = None
    if connection is not None:
        await _close(connection[1])


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass


async def run(target: Target, clients: int, requests: int) -> Counts:
    """Run `clients` concurrent clients with `requests` requests each."""
    counts = Counts()
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(client(target, requests, number, counts))
    return counts


def main() -> None:
    """Parse the arguments, run the load, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=100, help="requests per client")
    arguments = parser.parse_args()
    target = Target(arguments.address, arguments.port)
    print(json.dumps(dataclasses.asdict(asyncio.run(run(target, arguments.clients, arguments.requests)))))


if __name__ == "__main__":
    main()
