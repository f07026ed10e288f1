"""A client that leaves while its handler waits, and nobody reads or writes, is noticed at once.

`on_connection_close` runs in the turn of the loop in which the kernel tells it, or the next ones; no timer
has a part in it, so turns are counted and not milliseconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest

from tests.support.server import serving
from tornado.web import Application, RequestHandler

#: Turns of the loop, of 10 microseconds or so: a busy kernel takes its time to hand over a packet.
LIMIT = 5000


class LongPoll:
    """An application that answers when it is told to."""

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


async def turns_until(event: asyncio.Event) -> int:
    for count in range(LIMIT):
        if event.is_set():
            return count
        await asyncio.sleep(0)
    raise AssertionError(f"nothing within {LIMIT} turns of the loop")


def half_close(client: socket.socket) -> None:
    """Say that nothing more will be sent: by TCP's FIN, or by TLS's close_notify (RFC 8446 section 6.1)."""
    if not isinstance(client, ssl.SSLSocket):
        client.shutdown(socket.SHUT_WR)
        return
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):  # it would wait for the server's own
        client.unwrap()
    client.setblocking(True)


@pytest.mark.parametrize("way", ["close", "reset", "half-close"])
async def test_it_is_told_at_once(way, loop_kind, tls):
    poll = LongPoll()
    async with serving(poll.application, tls=tls) as server:
        client = await asyncio.to_thread(server.dial)
        # Else a goodbye in TLS may wait 40 ms in the client's kernel for an acknowledgement.
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
        await turns_until(poll.gone)
        poll.news.set()
        if way == "half-close":  # and gets its answer all the same
            received = await asyncio.to_thread(client.recv, 65536)
            assert received.startswith(b"HTTP/1.1 200 ")
            assert received.endswith(b"news")
            client.close()


async def test_who_stays_is_not_concerned(loop_kind, tls):
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
        await turns_until(poll.gone)
        poll.news.set()
        assert (await staying.response()).body == b"news"
