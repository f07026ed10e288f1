"""Clients that count: how many requests were answered, how many failed, how many answers were wrong.

They speak HTTP over plain asyncio streams, so that nothing of what is under test is on their side. As a
program, ``python -m compliance.faults.load --address A --port N --requests N`` prints the counts as JSON: a
client for another network namespace.
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
#: Path, request body and right answer, in turn.
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
#: Seconds for one request; a fault must make itself felt at once, and lost packets are sent again.
PATIENCE = 60.0


@dataclass
class Counts:
    """What became of the requests."""

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
        """A new connection."""
        name = "localhost" if self.context else None
        return await asyncio.open_connection(
            self.address, self.port, ssl=self.context, server_hostname=name, limit=2**22
        )


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes | None
) -> tuple[int, bytes]:
    """One request and its answer."""
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
    """So many requests on one connection; on the next one after a failure."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for number in range(first, first + requests):
        path, body, right = MIXED[number % len(MIXED)]
        counts.requests += 1
        try:
            async with asyncio.timeout(PATIENCE):
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
    """So many clients at once, each with its requests."""
    counts = Counts()
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(client(target, requests, number, counts))
    return counts


def main() -> None:
    """Read the arguments, load the server, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=100, help="of each client")
    arguments = parser.parse_args()
    target = Target(arguments.address, arguments.port)
    print(json.dumps(dataclasses.asdict(asyncio.run(run(target, arguments.clients, arguments.requests)))))


if __name__ == "__main__":
    main()
