"""The cases of the stream benchmark, which use public methods only."""

from __future__ import annotations

import asyncio
import functools
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable

from benchmarks.macro.stream import connecting
from benchmarks.macro.stream.links import LINKS, Link
from benchmarks.worker import Case
from tornado.iostream import BaseIOStream, IOStream, StreamClosedError

Run = AsyncGenerator[None, None]

#: A program that sends a number of megabytes to a port, from any core.
_SENDER = """
import os, socket, sys
os.sched_setaffinity(0, range(os.cpu_count()))
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    for _ in range(int(sys.argv[2])):
        connection.sendall(bytes(1 << 20))
"""

#: A program that receives and discards all data from a port, on any core.
_RECEIVER = """
import os, socket, sys
os.sched_setaffinity(0, range(os.cpu_count()))
buffer = bytearray(1 << 20)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    while connection.recv_into(buffer):
        pass
"""

_MIB = 1024 * 1024
_LINE = b"GET /item/42 " + b"x" * 50 + b"\r\n"
_HEAD = b"GET /item/42 HTTP/1.1\r\nHost: localhost\r\nAccept: " + b"text/html," * 12 + b"\r\n\r\n"


async def read_bytes(link: Link, size: int, times: int) -> Run:
    """Messages of a known size, one at a time."""
    near, far = await link()
    data = bytes(size)
    yield
    for _ in range(times):
        sent = near.write(data)
        await far.read_bytes(size)
        await sent
    yield
    _close(near, far)


async def read_into(link: Link, size: int, times: int) -> Run:
    """Messages of a known size, read into a buffer that the reader provides."""
    near, far = await link()
    data, target = bytes(size), bytearray(size)
    yield
    for _ in range(times):
        sent = near.write(data)
        await far.read_into(target)
        await sent
    yield
    _close(near, far)


async def read_partial(link: Link, times: int) -> Run:
    """Partial reads of up to 64 KiB, while a megabyte at a time is written."""
    near, far = await link()

    async def write() -> None:
        data = bytes(_MIB)
        for _ in range(times):
            await near.write(data)

    yield
    writing = asyncio.ensure_future(write())
    remaining = times * _MIB
    while remaining:
        remaining -= len(await far.read_bytes(65536, partial=True))
    await writing
    yield
    _close(near, far)


def _run(program: str, *arguments: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start a process that runs a program; return a connection to it, and the process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-c", program, str(listener.getsockname()[1]), *arguments]
        process = subprocess.Popen(command)
        return listener.accept()[0], process


async def flood(partial: bool, times: int) -> Run:
    """Reads of `times` megabytes in total, from another process that sends as fast as possible."""
    connection, sender = _run(_SENDER, str(times))
    stream = IOStream(connection)
    target = bytearray(_MIB)
    yield
    remaining = times * _MIB
    while remaining:
        if partial:
            remaining -= len(await stream.read_bytes(65536, partial=True))
        else:
            remaining -= await stream.read_into(target)
    yield
    stream.close()
    sender.wait()


async def drain(times: int) -> Run:
    """One write of `times` megabytes, to another process that reads as fast as possible."""
    connection, receiver = _run(_RECEIVER)
    stream = IOStream(connection)
    data = b"x" * (times * _MIB)  # zeros would be allocated lazily, inside the measurement
    yield
    await stream.write(data)
    yield
    stream.close()
    receiver.wait()


async def read_until_close(link: Link, times: int) -> Run:
    """Streams of at most four megabytes, `times` megabytes in total, each read to its end."""
    sizes = [4] * (times // 4) + [times % 4]
    pairs = [await link() for _ in sizes]
    data = bytes(_MIB)
    yield
    for size, (near, far) in zip(sizes, pairs, strict=True):
        whole = far.read_until_close()
        for _ in range(size):
            await near.write(data)
        near.close()
        assert len(await whole) == size * _MIB
    yield
    for _, far in pairs:
        far.close()


async def ping_pong(link: Link, size: int, times: int) -> Run:
    """A length-prefixed message in both directions: a fixed head, then a read into a buffer of that size."""
    near, far = await link()
    message = size.to_bytes(8, "little") + bytes(size)

    async def receive(stream: BaseIOStream) -> bytearray:
        head = await stream.read_bytes(8)
        body = bytearray(int.from_bytes(head, "little"))
        await stream.read_into(body)
        return body

    async def answer() -> None:
        while True:
            body = await receive(far)
            await far.write(len(body).to_bytes(8, "little") + body)

    answering = asyncio.ensure_future(answer())
    yield
    for _ in range(times):
        await near.write(message)
        await receive(near)
    yield
    await _end(answering, near, far)


async def echo_lines(link: Link, times: int) -> Run:
    """A line in both directions, one at a time."""
    near, far = await link()

    async def answer() -> None:
        while True:
            await far.write(await far.read_until(b"\r\n"))

    answering = asyncio.ensure_future(answer())
    yield
    for _ in range(times):
        await near.write(_LINE)
        await near.read_until(b"\r\n")
    yield
    await _end(answering, near, far)


async def echo_heads(link: Link, times: int) -> Run:
    """Message heads in both directions, delimited by a regular expression."""
    near, far = await link()

    async def answer() -> None:
        while True:
            await far.write(await far.read_until_regex(rb"\r?\n\r?\n"))

    answering = asyncio.ensure_future(answer())
    yield
    for _ in range(times):
        await near.write(_HEAD)
        await near.read_until_regex(rb"\r?\n\r?\n")
    yield
    await _end(answering, near, far)


async def read_lines(link: Link, times: int) -> Run:
    """Lines that arrive together and are read one by one."""
    near, far = await link()
    yield
    while times > 0:
        count = min(times, 500)
        sent = near.write(_LINE * count)
        for _ in range(count):
            await far.read_until(b"\r\n")
        await sent
        times -= count
    yield
    _close(near, far)


async def small_writes(link: Link, times: int) -> Run:
    """Many small writes that are not awaited, read together."""
    near, far = await link()
    yield
    while times > 0:
        count = min(times, 500)
        for _ in range(count):
            near.write(b"0123456789abcdef0123456789abcdef")
        await far.read_bytes(32 * count)
        times -= count
    yield
    _close(near, far)


async def waiting_writes(link: Link, times: int) -> Run:
    """Many small writes after a large one that the peer has not read yet."""
    near, far = await link()
    yield
    while times > 0:
        count = min(times, 500)
        near.write(bytes(8 * _MIB))
        for _ in range(count):
            last = near.write(b"0123456789abcdef0123456789abcdef")
        await far.read_bytes(8 * _MIB + 32 * count)
        await last
        times -= count
    yield
    _close(near, far)


def _close(*streams: BaseIOStream) -> None:
    for stream in streams:
        stream.close()


async def _end(task: asyncio.Task[None], *streams: BaseIOStream) -> None:
    _close(*streams)
    try:
        await task
    except StreamClosedError:
        pass


def _cases(name: str, link: Link) -> list[Case]:
    def case(what: str, title: str, run: Callable[..., Run], *arguments: int, times: int = 200) -> Case:
        return Case(f"{name}/{what}", f"{name}: {title}", functools.partial(run, link, *arguments), times)

    both_ways = [
        case("ping-pong", "a length-prefixed message of 32 bytes, both directions", ping_pong, 32),
        case("ping-pong-4k", "the same of 4 KiB", ping_pong, 4096),
        case("ping-pong-64k", "the same of 64 KiB", ping_pong, 65536, times=100),
        case("echo-lines", "a line in both directions, `read_until`", echo_lines),
        case("echo-heads", "a head in both directions, `read_until_regex`", echo_heads),
    ]
    return [
        case("read_bytes-1m", "1 MiB written, `read_bytes`", read_bytes, _MIB, times=32),
        case("read_bytes-64k", "64 KiB written, `read_bytes`", read_bytes, 65536, times=50),
        case("read_into-1m", "1 MiB written, `read_into`", read_into, _MIB, times=32),
        case("partial", "1 MiB of a stream, `read_bytes(65536, partial=True)`", read_partial, times=32),
        case("until-close", "1 MiB of a stream, `read_until_close`", read_until_close, times=32),
        *(both_ways if name != "pipe" else []),
        case("read-lines", "a line of 500 sent together, `read_until`", read_lines, times=1000),
        case("small-writes", "a write of 32 bytes", small_writes, times=1000),
        case(
            "waiting-writes", "a write of 32 bytes after 8 MiB that are pending", waiting_writes, times=1000
        ),
    ]


CASES = {
    case.name: case
    for case in [
        *(each for name, link in LINKS.items() for each in _cases(name, link)),
        Case(
            "flood/partial", "1 MiB from another process, partial reads", functools.partial(flood, True), 32
        ),
        Case(
            "flood/read_into", "1 MiB from another process, `read_into`", functools.partial(flood, False), 32
        ),
        Case("drain", "1 MiB of a write of 64 MiB, read by another process", drain, 64),
        *connecting.CASES,
    ]
}
