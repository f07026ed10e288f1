"""docs/guide/network.md: each of its programs is extracted and run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import PYTHON, ROOT
from tests.support.tcp import listening
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import bind_sockets
from tornado.process import Subprocess
from tornado.tcpclient import TCPClient

PATH = ROOT / "docs/guide/network.md"
PROGRAMS = dict(
    re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PATH.read_text(), re.DOTALL | re.MULTILINE)
)
Check = Callable[[dict[str, Any], Any, Path], Awaitable[None]]


@contextlib.asynccontextmanager
async def shouting() -> AsyncIterator[int]:
    """Run the first server of the guide, and yield its port."""
    program = module("server")
    sockets = bind_sockets(0, "127.0.0.1")
    running = asyncio.create_task(program["main"](sockets))
    try:
        yield sockets[0].getsockname()[1]
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


@contextlib.asynccontextmanager
async def group(script: Path, *arguments: str) -> AsyncIterator[bytes]:
    """Run a program that forks, and yield the first line that it prints; all its processes are ended."""
    parent = Subprocess([PYTHON, str(script), *arguments], stdout=Subprocess.STREAM, start_new_session=True)
    try:
        yield await parent.stdout.read_until(b"\n")
    finally:
        os.killpg(parent.pid, signal.SIGTERM)
        await parent.stdout.read_until_close()  # the last process has closed its end
        await parent.wait_for_exit(raise_error=False)


@contextlib.contextmanager
def both_ends() -> Iterator[tuple[IOStream, IOStream]]:
    ours, theirs = map(IOStream, socket.socketpair())
    try:
        yield ours, theirs
    finally:
        ours.close()
        theirs.close()


async def server(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that lines are returned in upper case, and that a too long line ends the connection."""
    async with shouting() as port:
        stream = await TCPClient().connect("127.0.0.1", port)
        await stream.write(b"one\ntwo\n")
        assert await stream.read_bytes(8) == b"ONE\nTWO\n"
        await stream.write(b"x" * 5000)
        assert await stream.read_until_close() == b""


async def secure(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that a client receives a greeting, although another client never starts its handshake."""
    greeter = program["server"](str(certificates.certificate_file), str(certificates.key_file))
    with listening(greeter) as port, socket.create_connection(("127.0.0.1", port)):
        answer = await program["greeting"]("localhost", port, str(certificates.ca_file))
        assert answer == b"hello over TLSv1.3\n"


async def forked(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that a child process responds, and that all processes end together."""
    script = folder / "forked.py"
    script.write_text(PROGRAMS["forked"])
    async with group(script, "0") as line:
        stream = await TCPClient().connect("127.0.0.1", int(line.removeprefix(b"port ")))
        assert await stream.read_until_close() in (b"process 0\n", b"process 1\n")


async def client(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that the client receives a response, and that its errors name the phase and the address."""
    async with shouting() as port:
        assert await program["shout"]("localhost", port, "hello") == "HELLO\n"
    refused = await program["shout"]("127.0.0.1", port, "hello")
    assert re.match("no connection: .*Connection refused", refused)
    assert refused.endswith(f"(connecting to 127.0.0.1:{port})")
    unknown = await program["shout"]("x" * 64, port, "hello")
    assert unknown.startswith("no connection: ")
    assert unknown.endswith(f"(looking up {'x' * 64!r})")


async def frames(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Read frames (normal, empty and too long) and a head, and copy a stream until it closes."""
    with both_ends() as (one, other):
        await one.write(b"\0\0\0\3abc" + b"\0\0\0\0" + b"a: b\r\n\r\n" + b"\xff\xff\xff\xff")
        assert await program["read_frame"](other) == b"abc"
        assert await program["read_frame"](other) == b""
        assert await program["read_head"](other) == b"a: b\r\n\r\n"
        with pytest.raises(ValueError, match="a frame of 4294967295 bytes is longer"):
            await program["read_frame"](other)
        assert other.closed()
    with both_ends() as (one, other), both_ends() as (third, fourth):
        copying = asyncio.create_task(program["copy"](other, third))
        written = one.write(b"x" * 10**6)
        assert await fourth.read_bytes(10**6) == b"x" * 10**6
        await written
        one.close()
        with pytest.raises(StreamClosedError):
            await copying


async def timeouts(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that a late response closes the stream, and that a cancelled read loses no data."""
    with both_ends() as (one, other):
        answered = other.write(b"fine\n")
        assert await program["ask"](one, b"how are you?\n") == b"fine\n"
        await answered
        assert await other.read_until(b"\n") == b"how are you?\n"
        read = one.read_bytes(4)
        await other.write(b"ab")
        read.cancel()
        await other.write(b"cd")
        assert await one.read_bytes(4) == b"abcd"
        with pytest.raises(TimeoutError):
            await program["ask"](one, b"and now?\n", seconds=0)
        assert one.closed()


async def room(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that members receive a line, and that slow and disconnected members are removed."""
    hall = program["Room"]()
    with listening(hall) as port:
        stream, slow = [await TCPClient().connect("127.0.0.1", port) for _ in range(2)]
        while len(hall.members) < 2:
            await asyncio.sleep(0)
        hall.send(b"hello\n")
        assert await stream.read_until(b"\n") == b"hello\n"
        stream.close()
        while len(hall.members) == 2:
            await asyncio.sleep(0)
        while hall.members:
            hall.send(b"x" * 32768)
            await asyncio.sleep(0)
        slow.close()


async def digest(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Check that the server responds after the end of its input."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"%d" % len(await reader.read()))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as counting:
        port = counting.sockets[0].getsockname()[1]
        assert await program["digest"]("127.0.0.1", port, [b"abc", b"de"]) == b"5"


async def unix(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    path = str(folder / "socket")
    assert await program["greeting"](path) == b"hello\n"
    assert await program["greeting"](path) == b"hello\n"  # the socket file of the first server is replaced
    assert await program["greeting"](f"\0{path}") == b"hello\n"


async def names(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    async with shouting() as port:
        stream = await program["client"]().connect("shop.internal", port)
        stream.close()


async def children(program: dict[str, Any], certificates: Any, folder: Path) -> None:
    """Sort more data than fits into the buffers of both pipes."""
    lines = [b"%06d\n" % number for number in range(50000)]
    assert await program["sort"](b"".join(reversed(lines))) == b"".join(lines)


CHECKS: dict[str, Check] = {
    each.__name__: each
    for each in (
        server,
        secure,
        forked,
        client,
        frames,
        timeouts,
        room,
        digest,
        unix,
        names,
        children,
    )
}


def module(name: str) -> dict[str, Any]:
    """Execute a program of the guide, as an import would, and return its global names."""
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(PROGRAMS[name], f"{name}.py", "exec"), namespace)
    return namespace


def test_every_program_is_checked() -> None:
    assert PROGRAMS.keys() == CHECKS.keys()
    assert len(PROGRAMS) == PATH.read_text().count("```python")


@pytest.mark.parametrize("name", CHECKS)
async def test_program(name: str, certificates: Any, tmp_path: Path) -> None:
    await CHECKS[name](module(name), certificates, tmp_path)


def test_links() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PATH.read_text()):
        assert (PATH.parent / target).exists(), target
