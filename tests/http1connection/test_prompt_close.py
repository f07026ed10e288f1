"""A disconnect is noticed immediately while a handler waits and neither side reads or writes.

`on_connection_close` runs within a few event loop iterations after the kernel reports the disconnect. No
timer is involved, so the tests count iterations instead of milliseconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from tests.support.server import serving
from tests.support.streams import has_reader
from tornado.iostream import _disconnect_monitor
from tornado.web import Application, RequestHandler, stream_request_body

#: The maximum number of event loop iterations to wait, of about 10 microseconds each: a busy kernel may
#: deliver a packet late.
LIMIT = 5000


class LongPoll:
    """An application that responds after the event `news` is set."""

    def __init__(self) -> None:
        self.started, self.gone, self.news = asyncio.Event(), asyncio.Event(), asyncio.Event()
        poll = self

        class Handler(RequestHandler):
            async def get(self) -> None:
                poll.started.set()
                await poll.news.wait()
                self.write("news")

            post = get

            def on_connection_close(self) -> None:
                poll.gone.set()

        self.application = Application([("/", Handler)])


async def iterations_until(event: asyncio.Event) -> int:
    for count in range(LIMIT):
        if event.is_set():
            return count
        await asyncio.sleep(0)
    raise AssertionError(f"the event was not set within {LIMIT} event loop iterations")


def half_close(client: socket.socket) -> None:
    """Close the sending side, with a FIN in TCP or close_notify in TLS (RFC 8446 section 6.1)."""
    if not isinstance(client, ssl.SSLSocket):
        client.shutdown(socket.SHUT_WR)
        return
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):  # unwrap() would wait for the server's close_notify
        client.unwrap()
    client.setblocking(True)


@pytest.mark.parametrize("way", ["close", "reset", "half-close"])
async def test_disconnect_is_reported_immediately(way, loop_kind, tls):
    poll = LongPoll()
    async with serving(poll.application, tls=tls) as server:
        client = await asyncio.to_thread(server.dial)
        # Otherwise the client's kernel may delay close_notify by 40 ms, until an acknowledgement arrives.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody")
        await poll.started.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not poll.gone.is_set()
        if way == "half-close":
            half_close(client)
        else:
            if way == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        await iterations_until(poll.gone)
        poll.news.set()
        if way == "half-close":  # the client still gets its response
            received = await asyncio.to_thread(client.recv, 65536)
            assert received.startswith(b"HTTP/1.1 200 ")
            assert received.endswith(b"news")
            client.close()


async def test_disconnect_does_not_affect_other_clients(loop_kind, tls):
    poll = LongPoll()
    async with serving(poll.application, tls=tls) as server:
        leaving = await asyncio.to_thread(server.dial)
        leaving.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await poll.started.wait()
        poll.started.clear()
        staying = await server.connect()
        staying.get("/")
        await poll.started.wait()
        leaving.close()
        await iterations_until(poll.gone)
        poll.news.set()
        assert (await staying.response()).body == b"news"


# -- more input than is buffered while a handler waits --

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n"


class Receiving:
    """An application whose handlers wait in the middle of a streamed body until the client disconnects."""

    def __init__(self) -> None:
        self.started, self.gone, self.cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
        receiving = self

        @stream_request_body
        class Handler(RequestHandler):
            async def data_received(self, chunk: bytes) -> None:
                receiving.started.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    receiving.cancelled.set()

            def post(self) -> None:
                raise AssertionError("its body is never received")

            def on_connection_close(self) -> None:
                receiving.gone.set()

        self.application = Application([("/", Handler)], cancel_on_disconnect=True)


@pytest.fixture
def eager(monkeypatch):
    """Check paused sockets in each event loop iteration."""
    monkeypatch.setattr(_disconnect_monitor, "INTERVAL", 0)


async def paused(server):
    """Wait until the only connection of a server has paused reading."""
    [connection] = server.connections
    while has_reader(connection.stream):
        await asyncio.sleep(0)


async def until_connection_is_closed(server):
    for _ in range(LIMIT):
        if not server.connections:
            return
        await asyncio.sleep(0)
    raise AssertionError("the connection is still open")


@pytest.mark.parametrize("protection", ["default", "public"])
async def test_reset_after_pipelined_requests_closes_connection(loop_kind, tls, protection, eager):
    poll = LongPoll()
    async with serving(poll.application, tls=tls, protection=protection) as server:
        client = await asyncio.to_thread(server.dial)
        await asyncio.to_thread(client.sendall, REQUEST * 8000)
        await poll.started.wait()
        await paused(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await iterations_until(poll.gone)
        await until_connection_is_closed(server)
        poll.news.set()


async def test_half_close_after_pipelined_requests_is_reported_to_each_handler(loop_kind, eager):
    poll = LongPoll()
    count = 4000  # the input must fit into the kernel's buffer, so that the end of input can arrive
    async with serving(poll.application) as server:
        peer = await server.connect()
        peer.send(REQUEST * count)
        peer.writer.write_eof()
        await poll.started.wait()
        await paused(server)
        for _ in range(3):
            await iterations_until(poll.gone)
            poll.gone.clear()
            poll.started.clear()
            poll.news.set()
            await poll.started.wait()
            poll.news.clear()
        poll.news.set()
        assert (await peer.rest()).count(b"news") == count  # each request gets a response


async def test_reset_after_pipelined_requests_cancels_handler(loop_kind, tls, eager):
    poll, cancelled = LongPoll(), asyncio.Event()
    poll.application.settings["cancel_on_disconnect"] = True

    async def wait(handler):
        poll.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    poll.application.wildcard_router.rules[0].target.get = wait
    async with serving(poll.application, tls=tls) as server:
        client = await asyncio.to_thread(server.dial)
        await asyncio.to_thread(client.sendall, REQUEST * 8000)
        await poll.started.wait()
        await paused(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await iterations_until(cancelled)
        await until_connection_is_closed(server)


async def test_reset_after_part_of_streamed_body_cancels_handler(loop_kind, tls, eager):
    receiving = Receiving()
    async with serving(receiving.application, tls=tls) as server:
        client = await asyncio.to_thread(server.dial)
        await asyncio.to_thread(client.sendall, POST + bytes(250_000))
        await receiving.started.wait()
        await paused(server)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await iterations_until(receiving.gone)
        await iterations_until(receiving.cancelled)
        await until_connection_is_closed(server)


async def test_end_of_input_in_body_of_pipelined_request_closes_connection(loop_kind, tls):
    """The end of input arrived while the previous request was being served."""
    poll = LongPoll()
    async with serving(poll.application, tls=tls) as server:
        client = await asyncio.to_thread(server.dial)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(REQUEST + POST + b"a part")
        half_close(client)
        await poll.started.wait()
        await iterations_until(poll.gone)
        poll.news.set()
        await until_connection_is_closed(server)
        client.close()
