"""Clients that disconnect early, flood or never read, against `ASGIContainer`.

``python -m compliance.asgi.disconnects`` combines each application of `careless_applications` with each
client, and lets the client leave after 0, 1, 2 … iterations of the event loop, on asyncio and uvloop, with
and without TLS. After each case, all calls of the application must have ended, no connection may be open,
another client must be served, and a correct application must not have caused a log record.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import socket
import struct
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from compliance.asgi.careless_applications import CORRECT, FAULTY, Application, one
from tests.support.certificates import Certificates
from tests.support.server import Peer, Server, serving
from tests.support.websocket import masked
from tornado.asgi import ASGIContainer

#: The numbers of event loop iterations after which a client leaves.
DELAYS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 25)
#: The time in seconds after which a call that has not ended counts as a fault.
_TIMEOUT = 10.0
_RESET = struct.pack("ii", 1, 0)

Client = Callable[[Peer, int], Awaitable[None]]


async def _iterations(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _reset(peer: Peer) -> None:
    """Close the connection with a reset."""
    sock = peer.writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None:  # otherwise the server has closed the connection
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    peer.writer.transport.abort()


async def _end_output(peer: Peer) -> None:
    """Close the sending side, and read for a moment. With TLS, close the connection."""
    if peer.writer.can_write_eof():
        peer.writer.write_eof()
        await _read_briefly(peer)
    else:
        peer.writer.close()


async def _read_briefly(peer: Peer) -> None:
    """Read the beginning of a response, if there is one within 10 milliseconds."""
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(peer.reader.read(100), 0.01)


# -- HTTP clients --


async def reset(peer: Peer, delay: int) -> None:
    """Reset the connection after a request."""
    peer.get("/")
    await _iterations(delay)
    _reset(peer)


async def reset_in_body(peer: Peer, delay: int) -> None:
    """Reset the connection in the middle of the body."""
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
    await _iterations(2)
    peer.send(bytes(100_000))
    await _iterations(delay)
    _reset(peer)


async def reset_after_body(peer: Peer, delay: int) -> None:
    """Reset the connection after a complete body."""
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    await _iterations(2)
    peer.send(b"3\r\nabc\r\n0\r\n\r\n")
    await _iterations(delay)
    _reset(peer)


async def end_in_body(peer: Peer, delay: int) -> None:
    """Close the sending side in the middle of the body, and read what the server sends."""
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nabc")
    await _iterations(delay)
    await _end_output(peer)


async def end_after_request(peer: Peer, delay: int) -> None:
    """Close the sending side after a complete request, and read what the server sends."""
    peer.get("/", method="POST", body=b"abc")
    await _iterations(delay)
    await _end_output(peer)


async def malformed_body(peer: Peer, delay: int) -> None:
    """Send an invalid chunk."""
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await _iterations(delay)
    peer.send(b"zz\r\n")
    await _read_briefly(peer)
    _reset(peer)


async def large_body(peer: Peer, delay: int) -> None:
    """Send more than ``max_body_size``, in chunks."""
    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        peer.send(b"30d40\r\n" + bytes(200_000) + b"\r\n")
        await _iterations(delay)
    await _read_briefly(peer)
    _reset(peer)


async def continue_and_reset(peer: Peer, delay: int) -> None:
    """Ask for 100 Continue, and do not wait for it."""
    peer.get("/", "Expect: 100-continue", "Content-Length: 10", method="POST")
    await _iterations(delay)
    _reset(peer)


async def pipeline(peer: Peer, delay: int) -> None:
    """Send several requests at once."""
    for _ in range(3):
        peer.get("/")
    await _iterations(delay)
    _reset(peer)


async def read_a_little(peer: Peer, delay: int) -> None:
    """Reset the connection in the middle of the response."""
    peer.get("/", method="HEAD" if delay % 2 else "GET")
    await _read_briefly(peer)
    await _iterations(delay)
    _reset(peer)


async def never_read(peer: Peer, delay: int) -> None:
    """Read nothing until the server has filled the buffers of the sockets."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    peer.get("/")
    await asyncio.sleep(0.001 * delay)
    _reset(peer)


# -- WebSocket clients --

_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def ws_reset(peer: Peer, delay: int) -> None:
    """Reset the connection after the handshake."""
    peer.send(_HANDSHAKE)
    await _iterations(delay)
    _reset(peer)


async def ws_message_and_reset(peer: Peer, delay: int) -> None:
    """Reset the connection after messages."""
    peer.send(_HANDSHAKE + masked(0x81, b"abc") * 3)
    await _iterations(delay)
    _reset(peer)


async def ws_flood(peer: Peer, delay: int) -> None:
    """Send more messages than the application may have waiting, and then a close frame."""
    peer.send(_HANDSHAKE)
    peer.send(masked(0x82, bytes(1000)) * 500)
    peer.send(masked(0x88, b"\x03\xe8"))
    await _iterations(delay)
    await _read_briefly(peer)
    _reset(peer)


async def ws_partial_frame(peer: Peer, delay: int) -> None:
    """Leave in the middle of a frame."""
    peer.send(_HANDSHAKE + masked(0x82, bytes(10_000))[:5000])
    await _iterations(delay)
    _reset(peer)


async def ws_malformed(peer: Peer, delay: int) -> None:
    """Send a message and a reserved opcode."""
    peer.send(_HANDSHAKE + masked(0x81, b"abc"))
    await _iterations(delay)
    peer.send(masked(0x83, b""))
    await _read_briefly(peer)
    _reset(peer)


async def ws_end(peer: Peer, delay: int) -> None:
    """Close the TCP connection without a close frame."""
    peer.send(_HANDSHAKE + masked(0x81, b"abc"))
    await _iterations(delay)
    peer.writer.close()


async def ws_close(peer: Peer, delay: int) -> None:
    """Send a close frame, and do not wait for the reply."""
    peer.send(_HANDSHAKE + masked(0x81, b"abc"))
    await _iterations(delay)
    peer.send(masked(0x88, b"\x0f\xa1bye"))
    peer.writer.close()


async def ws_never_read(peer: Peer, delay: int) -> None:
    """Send messages, and read nothing."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    peer.send(_HANDSHAKE + masked(0x82, bytes(60_000)) * 20)
    await asyncio.sleep(0.001 * delay)
    _reset(peer)


CLIENTS: dict[str, dict[str, Client]] = {
    "http": {
        each.__name__: each
        for each in (
            reset,
            reset_in_body,
            reset_after_body,
            end_in_body,
            end_after_request,
            malformed_body,
            large_body,
            continue_and_reset,
            pipeline,
            read_a_little,
            never_read,
        )
    },
    "websocket": {
        each.__name__: each
        for each in (
            ws_reset,
            ws_message_and_reset,
            ws_flood,
            ws_partial_frame,
            ws_malformed,
            ws_end,
            ws_close,
            ws_never_read,
        )
    },
}


# -- one case --


class _Records(logging.Handler):
    """The log records of level WARNING and above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.texts.append(f"{record.name}: {record.getMessage()} {error!r}"[:300])


class _Counted:
    """An application that counts its calls. Its requests to ``/other`` get a short response."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.released = asyncio.Event()
        self.under_way = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/other":
            await one(scope, receive, send)
            return
        self.under_way += 1
        self._idle.clear()
        scope["state"]["released"] = self.released
        try:
            await self._application(scope, receive, send)
        finally:
            self.under_way -= 1
            if not self.under_way:
                self._idle.set()

    async def ended(self) -> None:
        """Wait for the end of all calls."""
        while self.under_way:
            await self._idle.wait()


async def _until_closed(server: Server) -> None:
    while server.connections:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.001)


async def find_faults(
    application: Application, client: Client, delay: int, tls: Any, faulty: bool
) -> list[str]:
    """Run one case, and return what is wrong."""
    faults: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: faults.append(f"event loop: {context}"))
    counted, records = _Counted(application), _Records()
    root = logging.getLogger()
    root.addHandler(records)
    before = len(asyncio.all_tasks())
    try:
        async with serving(ASGIContainer(counted), tls=tls, max_body_size=500_000) as server:
            peer = await server.connect()
            try:
                await asyncio.wait_for(client(peer, delay), _TIMEOUT)
            except TimeoutError:
                faults.append("the client waits")
            other = await asyncio.wait_for(server.fetch("/other", "Connection: close"), _TIMEOUT)
            if other.body != b"end":
                faults.append(f"another client has received {other.body!r}")
            counted.released.set()
            try:
                await asyncio.wait_for(counted.ended(), _TIMEOUT)
                await asyncio.wait_for(_until_closed(server), _TIMEOUT)
            except TimeoutError:
                faults.append(f"{counted.under_way} calls, {len(server.connections)} connections remain")
        await _iterations(5)
        if len(asyncio.all_tasks()) > before:
            faults.append(f"{len(asyncio.all_tasks()) - before} tasks remain")
    finally:
        root.removeHandler(records)
    allowed = ("tornado.application",) if faulty else ()
    return faults + [text for text in records.texts if not text.startswith(allowed or ("-",))]


def cases() -> Iterator[tuple[str, Application, Client, bool]]:
    """Return each combination of an application and a client, with a title."""
    for faulty, applications in ((False, CORRECT), (True, FAULTY)):
        for kind, named in applications.items():
            for name, application in named.items():
                for client_name, client in CLIENTS[kind].items():
                    yield f"{name} × {client_name}", application, client, faulty


async def sweep(delays: tuple[int, ...], tls: Any, only: str = "") -> tuple[int, list[str]]:
    """Run all cases in the running loop; return their number, and the faults."""
    count, faults = 0, []
    for title, application, client, faulty in cases():
        if only not in title:
            continue
        for delay in delays:
            count += 1
            found = await find_faults(application, client, delay, tls, faulty)
            faults += [f"{title}, after {delay}: {fault}" for fault in found]
    return count, faults


def main() -> int:
    """Run all cases on both event loops, with and without TLS."""
    parser = argparse.ArgumentParser(prog="python -m compliance.asgi.disconnects", description=__doc__)
    parser.add_argument("--only", default="", help="a part of the title of the cases to run")
    asked = parser.parse_args()
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder))
        for loop_name, new_loop in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
            for tls in (None, certificates):
                with asyncio.Runner(loop_factory=new_loop) as runner:
                    count, faults = runner.run(sweep(DELAYS, tls, asked.only))
                total += len(faults)
                print(f"{loop_name}, {'TLS' if tls else 'plain'}: {count} cases, {len(faults)} faults")
                for fault in faults:
                    print(f"  {fault}", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
