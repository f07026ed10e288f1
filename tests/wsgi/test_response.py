"""`Response`: order, waiting for the client, and event loops that have stopped."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.support.clock import FakeClock
from tornado.httputil import HTTPConnection
from tornado.iostream import StreamClosedError
from tornado.wsgi import _response
from tornado.wsgi._response import WINDOW, Response
from tornado.wsgi._response_head import ResponseHead

CHUNK = bytes(WINDOW // 2)


class Connection(HTTPConnection):
    """A connection that records writes; a write is pending until `settle` is called."""

    def __init__(self):
        self.written = []
        self.waiting = []
        self.finished = False
        self.wrote = asyncio.Event()

    def write_headers(self, start_line, headers, chunk=None):
        self.written.append(start_line.code)
        return self.write(chunk or b"")

    def write(self, chunk):
        future = asyncio.get_running_loop().create_future()
        self.written.append(chunk)
        self.waiting.append(future)
        self.wrote.set()
        return future

    def finish(self):
        self.finished = True

    def settle(self, error=None):
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    @property
    def size(self):
        return sum(len(each) for each in self.written if isinstance(each, bytes))


async def test_a_thread_waits_for_a_slow_client():
    connection = Connection()
    reply = Response(connection, asyncio.get_running_loop())
    made = 0

    def produce():
        nonlocal made
        for number in range(20):
            reply.put(ResponseHead("200 OK", []) if number == 0 else None, CHUNK, last=number == 19)
            made += 1

    job = asyncio.get_running_loop().run_in_executor(None, produce)
    settled = 0
    while connection.size < 20 * len(CHUNK):
        await connection.wrote.wait()
        connection.wrote.clear()
        assert connection.size - settled <= WINDOW + len(CHUNK)
        if connection.size - settled > WINDOW:  # the thread waits until some of it has been sent
            settled = connection.size
            connection.settle()
    await job
    assert made == 20
    assert connection.finished
    assert connection.written[0] == 200
    connection.settle()


async def test_a_waiting_thread_is_told_that_the_client_is_gone():
    connection = Connection()
    reply = Response(connection, asyncio.get_running_loop())

    def produce():
        with pytest.raises(StreamClosedError):
            for _ in range(20):
                reply.put(None, CHUNK, last=False)

    job = asyncio.get_running_loop().run_in_executor(None, produce)
    while connection.size <= WINDOW:
        await connection.wrote.wait()
        connection.wrote.clear()
    connection.settle(StreamClosedError())
    await job
    assert reply.gone


async def test_in_the_loop_nothing_waits():
    connection = Connection()
    reply = Response(connection, asyncio.get_running_loop())
    reply.put(ResponseHead("200 OK", []), b"", last=False)
    for _ in range(10):
        reply.put(None, CHUNK, last=False)
    reply.put(None, b"", last=True)
    assert connection.size == 10 * len(CHUNK)
    assert connection.finished
    connection.settle()


async def test_what_comes_in_one_turn_is_joined():
    connection = Connection()
    reply = Response(connection, asyncio.get_running_loop())

    def produce():
        reply.put(ResponseHead("200 OK", []), b"a", last=False)
        reply.put(None, b"b", last=False)
        reply.put(None, b"c", last=True)

    thread = threading.Thread(target=produce)
    thread.start()
    thread.join()  # the event loop has not run in between
    assert connection.written == []
    await connection.wrote.wait()
    assert connection.written == [200, b"abc"]
    connection.settle()


async def test_a_connection_that_raises(expect_log):
    class Broken(Connection):
        def write(self, chunk):
            raise ValueError("cannot")

    connection = Broken()
    reply = Response(connection, asyncio.get_running_loop())
    with expect_log("tornado.application", "Cannot send the response of a WSGI application"):
        reply.put(ResponseHead("200 OK", []), b"a", last=False)
    assert reply.gone
    assert connection.finished
    with pytest.raises(StreamClosedError):
        reply.put(None, b"b", last=False)


async def test_a_connection_that_closed_meanwhile():
    class Closed(Connection):
        def write(self, chunk):
            raise StreamClosedError()

    reply = Response(Closed(), asyncio.get_running_loop())
    reply.put(ResponseHead("200 OK", []), b"a", last=False)
    assert reply.gone


def made_in_a_loop():
    """Return a response whose event loop has stopped, and the loop."""
    loop = asyncio.SelectorEventLoop()
    made = []

    async def make():
        made.append(Response(Connection(), loop))
        made[0]._loop_thread = -1  # as if this test ran in another thread

    loop.run_until_complete(make())
    return made[0], loop


def test_a_closed_loop_ends_the_thread():
    reply, loop = made_in_a_loop()
    loop.close()
    with pytest.raises(StreamClosedError):
        reply.put(ResponseHead("200 OK", []), b"a", last=False)
    reply.abort()
    assert reply.gone


def test_a_stopped_loop_ends_the_thread(monkeypatch):
    """Otherwise the interpreter could not exit, because it waits for the thread."""
    monkeypatch.setattr(_response, "_STALLED", 0.0)
    monkeypatch.setattr(_response, "_TICK", 0.0)
    reply, loop = made_in_a_loop()
    with pytest.raises(StreamClosedError):
        reply.put(ResponseHead("200 OK", []), bytes(WINDOW + 1), last=False)
    reply, other = made_in_a_loop()
    reply.put(ResponseHead("200 OK", []), b"a", last=False)
    with pytest.raises(StreamClosedError):
        reply.put(None, b"b", last=False)
    loop.close()
    other.close()


@pytest.mark.parametrize("moves", [False, True])
async def test_a_client_that_reads_nothing_is_given_up(monkeypatch, moves):
    """A client that reads only a little is not disconnected."""

    class Stream:
        _pending_output = 10**6

    clock = FakeClock()
    monkeypatch.setattr(_response, "monotonic", clock)
    monkeypatch.setattr(_response, "_TICK", 0.001)
    connection = Connection()
    connection.stream = stream = Stream()
    closed = asyncio.Event()
    connection.close = closed.set
    reply = Response(connection, asyncio.get_running_loop(), 60.0)
    looked = threading.Semaphore(0)
    place = Response._place

    def watched(self):
        looked.release()
        return place(self)

    monkeypatch.setattr(Response, "_place", watched)

    async def look(times):
        for _ in range(times):
            assert await asyncio.to_thread(looked.acquire, timeout=25)

    job = asyncio.get_running_loop().run_in_executor(
        None, reply.put, ResponseHead("200 OK", []), bytes(WINDOW + 1), False
    )
    await look(1)
    for _ in range(3):
        clock.advance(59)
        if moves:
            stream._pending_output -= 1
        await look(2)
        if not moves:
            break
    assert not job.done()
    if moves:
        connection.settle()
        await job
        assert not reply.gone
        return
    clock.advance(2)
    with pytest.raises(StreamClosedError):
        await job
    await closed.wait()
    connection.settle()


async def test_a_patient_reply_waits_for_ever(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(_response, "monotonic", clock)
    monkeypatch.setattr(_response, "_TICK", 0.001)
    connection = Connection()
    reply = Response(connection, asyncio.get_running_loop())
    job = asyncio.get_running_loop().run_in_executor(
        None, reply.put, ResponseHead("200 OK", []), bytes(WINDOW + 1), False
    )
    await connection.wrote.wait()
    clock.advance(10**6)
    await asyncio.to_thread(lambda: None)
    assert not reply.gone
    connection.settle()
    await job
