"""`ResponseBridge`: order, waiting for the client, and event loops that have stopped."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.support.clock import FakeClock
from tests.support.wsgi import act_in_another_thread, note_progress_checks
from tornado.httputil import HTTPConnection
from tornado.iostream import StreamClosedError
from tornado.wsgi import _response_bridge
from tornado.wsgi._response_bridge import WINDOW, ResponseBridge
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
    response = ResponseBridge(connection, asyncio.get_running_loop())
    made = 0

    def produce():
        nonlocal made
        for number in range(20):
            response.put(ResponseHead("200 OK", []) if number == 0 else None, CHUNK, last=number == 19)
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


async def test_disconnect_raises_in_waiting_thread():
    connection = Connection()
    response = ResponseBridge(connection, asyncio.get_running_loop())

    def produce():
        with pytest.raises(StreamClosedError):
            for _ in range(20):
                response.put(None, CHUNK, last=False)

    job = asyncio.get_running_loop().run_in_executor(None, produce)
    while connection.size <= WINDOW:
        await connection.wrote.wait()
        connection.wrote.clear()
    connection.settle(StreamClosedError())
    await job
    assert response.disconnected


async def test_put_in_event_loop_does_not_wait():
    connection = Connection()
    response = ResponseBridge(connection, asyncio.get_running_loop())
    response.put(ResponseHead("200 OK", []), b"", last=False)
    for _ in range(10):
        response.put(None, CHUNK, last=False)
    response.put(None, b"", last=True)
    assert connection.size == 10 * len(CHUNK)
    assert connection.finished
    connection.settle()


async def test_chunks_of_one_iteration_are_joined():
    connection = Connection()
    response = ResponseBridge(connection, asyncio.get_running_loop())

    def produce():
        response.put(ResponseHead("200 OK", []), b"a", last=False)
        response.put(None, b"b", last=False)
        response.put(None, b"c", last=True)

    thread = threading.Thread(target=produce)
    thread.start()
    thread.join()  # the event loop has not run in between
    assert connection.written == []
    await connection.wrote.wait()
    assert connection.written == [200, b"abc"]
    connection.settle()


async def test_error_in_write_aborts_response(expect_log):
    class Broken(Connection):
        def write(self, chunk):
            raise ValueError("cannot")

    connection = Broken()
    response = ResponseBridge(connection, asyncio.get_running_loop())
    with expect_log("tornado.application", "Cannot send the response of a WSGI application"):
        response.put(ResponseHead("200 OK", []), b"a", last=False)
    assert response.disconnected
    assert connection.finished
    with pytest.raises(StreamClosedError):
        response.put(None, b"b", last=False)


async def test_closed_connection_is_noticed():
    class Closed(Connection):
        def write(self, chunk):
            raise StreamClosedError()

    response = ResponseBridge(Closed(), asyncio.get_running_loop())
    response.put(ResponseHead("200 OK", []), b"a", last=False)
    assert response.disconnected


def response_with_stopped_loop():
    """Return a response whose event loop has stopped, and the loop."""
    loop = asyncio.SelectorEventLoop()
    made = []

    async def make():
        made.append(ResponseBridge(Connection(), loop))
        act_in_another_thread(made[0])

    loop.run_until_complete(make())
    return made[0], loop


def test_put_raises_after_loop_was_closed():
    response, loop = response_with_stopped_loop()
    loop.close()
    with pytest.raises(StreamClosedError):
        response.put(ResponseHead("200 OK", []), b"a", last=False)
    response.abort()
    assert response.disconnected


def test_put_raises_after_loop_was_stopped(monkeypatch):
    """If the thread waited forever, the interpreter could not exit, because it waits for the thread."""
    monkeypatch.setattr(_response_bridge, "_STOPPED_AFTER", 0.0)
    monkeypatch.setattr(_response_bridge, "_CHECK_INTERVAL", 0.0)
    response, loop = response_with_stopped_loop()
    with pytest.raises(StreamClosedError):
        response.put(ResponseHead("200 OK", []), bytes(WINDOW + 1), last=False)
    response, other = response_with_stopped_loop()
    response.put(ResponseHead("200 OK", []), b"a", last=False)
    with pytest.raises(StreamClosedError):
        response.put(None, b"b", last=False)
    loop.close()
    other.close()


@pytest.mark.parametrize("moves", [False, True])
async def test_client_that_does_not_read_is_disconnected_after_timeout(monkeypatch, moves):
    """A client that reads only a little is not disconnected."""

    clock = FakeClock()
    monkeypatch.setattr(_response_bridge, "monotonic", clock)
    monkeypatch.setattr(_response_bridge, "_CHECK_INTERVAL", 0.001)
    connection = Connection()
    connection.unsent_size = 10**6
    closed = asyncio.Event()
    connection.close = closed.set
    response = ResponseBridge(connection, asyncio.get_running_loop(), 60.0)
    looked = threading.Semaphore(0)
    note_progress_checks(monkeypatch, looked.release)

    async def look(times):
        for _ in range(times):
            assert await asyncio.to_thread(looked.acquire, timeout=25)

    job = asyncio.get_running_loop().run_in_executor(
        None, response.put, ResponseHead("200 OK", []), bytes(WINDOW + 1), False
    )
    await look(1)
    for _ in range(3):
        clock.advance(59)
        if moves:
            connection.unsent_size -= 1
        await look(2)
        if not moves:
            break
    assert not job.done()
    if moves:
        connection.settle()
        await job
        assert not response.disconnected
        return
    clock.advance(2)
    with pytest.raises(StreamClosedError):
        await job
    await closed.wait()
    connection.settle()


async def test_response_without_timeout_waits_without_limit(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(_response_bridge, "monotonic", clock)
    monkeypatch.setattr(_response_bridge, "_CHECK_INTERVAL", 0.001)
    connection = Connection()
    response = ResponseBridge(connection, asyncio.get_running_loop())
    job = asyncio.get_running_loop().run_in_executor(
        None, response.put, ResponseHead("200 OK", []), bytes(WINDOW + 1), False
    )
    await connection.wrote.wait()
    clock.advance(10**6)
    await asyncio.to_thread(lambda: None)
    assert not response.disconnected
    connection.settle()
    await job
