"""Failing writes and callbacks of a program that change the state of an exchange from inside another change.

In the sweeps, the n-th write fails, or the n-th call of a delegate's method acts on the stream, for n = 0, 1,
2, ... until a run has fewer steps. No step may cause a transition that the table does not permit.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.certificates import Certificates
from tests.support.server import ExpectLog, serving
from tests.support.streams import run_loop_iterations, stream_pair
from tornado import web
from tornado._wire.state_machine import InvalidTransition
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
#: Requests by name: complete, incomplete, pipelined, and malformed ones.
REQUESTS = {
    "get": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "pipelined": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3,
    "body": HEAD + b"Content-Length: 3\r\n\r\nabc",
    "incomplete body": HEAD + b"Content-Length: 100\r\n\r\nabc",
    "expect": HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "malformed head": b"GET / HTTP/1.1\r\nHo st: a\r\n\r\n",
    "malformed chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "too large": HEAD + b"Content-Length: 999999999999\r\n\r\n",
    "unknown expectation": HEAD + b"Expect: x\r\nContent-Length: 3\r\n\r\nabc",
}
#: When a server's delegate responds.
MOMENTS = ["headers_received", "data_received", "finish", "on_connection_close", "later"]


def detach(connection: Any) -> None:
    """Detach the stream, and close it later."""
    stream = connection.detach()
    if stream is not None:
        asyncio.get_running_loop().call_soon(stream.close)


#: Actions of a callback on the exchange.
ACTIONS: dict[str, Callable[[Any], object]] = {
    "close": lambda connection: connection.close(),
    "detach": detach,
    "finish": lambda connection: connection.finish(),
    "raise": lambda connection: 1 / 0,
}


class Fault:
    """An action in the n-th step of a run.

    :ivar done: whether the n-th step has been reached.
    """

    def __init__(self, number: int, action: Callable[..., object]) -> None:
        self._remaining = number
        self._action = action
        self.done = False

    def step(self, *args: Any) -> None:
        self._remaining -= 1
        if self._remaining == -1:
            self.done = True
            self._action(*args)


def reset_by_peer() -> None:
    raise ConnectionResetError(errno.ECONNRESET, "reset by peer")


#: A fault that never occurs.
NO_FAULT = Fault(-1, reset_by_peer)


class Delegate(HTTPMessageDelegate):
    """A delegate whose calls and close callback are steps; a server's delegate responds at one moment.

    :param moment: the method that sends a response; empty on the client side.
    """

    def __init__(self, connection: Any, fault: Fault, moment: str = "") -> None:
        self.connection, self.fault, self.moment = connection, fault, moment
        connection.set_close_callback(lambda: self.note("close_callback"))

    def note(self, name: str) -> None:
        self.fault.step(self.connection)
        if name == self.moment:
            self.respond()

    def respond(self) -> None:
        connection = self.connection
        if not connection.head_sent:
            connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders())
            connection.write(b"hello")
            connection.finish()

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self.note("headers_received")
        if self.moment == "later":
            asyncio.get_running_loop().call_soon(self.respond)

    def data_received(self, chunk: bytes) -> None:
        self.note("data_received")

    def finish(self) -> None:
        self.note("finish")

    def on_connection_close(self) -> None:
        self.note("on_connection_close")


class Application(HTTPServerConnectionDelegate):
    """Creates a `Delegate` for each request."""

    def __init__(self, fault: Fault, moment: str) -> None:
        self.fault, self.moment = fault, moment

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return Delegate(request_conn, self.fault, self.moment)


@pytest.fixture
def legal(expect_log: ExpectLog) -> Iterator[None]:
    """Check that no illegal transition is logged. Other errors are those of the test's own callbacks."""
    with expect_log("tornado", "", required=False) as expected:
        yield
    for record in expected.records:
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            assert not isinstance(error, InvalidTransition)
            error = error.__context__


def fail_writes(monkeypatch: pytest.MonkeyPatch, fault: Fault, failing: IOStream | None = None) -> None:
    """Make each write of a stream a step.

    :param failing: the stream; None for all streams.
    """
    write = IOStream.write_to_fd

    def counted(self: IOStream, data: memoryview) -> int:
        if failing is None or self is failing:
            fault.step()
        return write(self, data)

    monkeypatch.setattr(IOStream, "write_to_fd", counted)


async def serve(data: bytes, step: Fault, moment: str) -> None:
    """Send `data` to a server, half-close, and disconnect.

    :param step: the fault. Each call of a delegate is one of its steps.
    """
    async with serving(Application(step, moment), max_body_size=1000) as server:
        peer = await server.connect()
        peer.send(data)
        await run_loop_iterations(8)
        peer.writer.write_eof()
        await run_loop_iterations(8)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("request_name", REQUESTS)
async def test_server_survives_failure_of_each_write(
    request_name: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in itertools.count():
        fault = Fault(number, reset_by_peer)
        with monkeypatch.context() as patched:
            fail_writes(patched, fault)
            await serve(REQUESTS[request_name], NO_FAULT, moment)
        if not fault.done:
            return


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.usefixtures("legal")
async def test_server_survives_action_of_each_callback(request_name: str, moment: str, action: str) -> None:
    for number in itertools.count():
        fault = Fault(number, ACTIONS[action])
        await serve(REQUESTS[request_name], fault, moment)
        if not fault.done:
            return


async def fetch(certificates: Certificates, fault: Fault, response: bytes, failing: bool, patch: Any) -> None:
    """Send a request in several parts and read its response twice, the second time after a disconnect."""
    async with stream_pair("plain", certificates) as (server, client):
        if failing:
            fail_writes(patch, fault, client)
            step = NO_FAULT
        else:
            step = fault
        connection = HTTP1Connection(client, True, HTTP1ConnectionParameters())
        delegate = Delegate(connection, step)
        for _ in range(2):
            line = RequestStartLine("POST", "/", "HTTP/1.1")
            connection.write_headers(line, HTTPHeaders({"Host": "a"}))
            connection.write(b"abc")
            connection.finish()
            if not server.closed():
                server.write(response)
                server.close()
            if connection.is_detached:
                return
            await asyncio.wait_for(connection.read_response(delegate), 10)
            if connection.is_detached:
                return


RESPONSES = {
    "complete": OK,
    "interim": b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK,
    "empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "incomplete": OK[:-1],
    "malformed": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "until close": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "none": b"",
}


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("action", ["write fails", *ACTIONS])
@pytest.mark.usefixtures("legal")
async def test_client_survives_each_fault(
    action: str, response: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = action == "write fails"
    for number in itertools.count():
        fault = Fault(number, reset_by_peer if failing else ACTIONS[action])
        with monkeypatch.context() as patched:
            await fetch(certificates, fault, RESPONSES[response], failing, patched)
        if not fault.done:
            return


# -- single situations --


async def test_read_response_completes_again_after_disconnect(certificates: Certificates) -> None:
    async with stream_pair("plain", certificates) as (server, client):
        server.close()
        connection = HTTP1Connection(client, True)
        for _ in range(2):
            delegate = Delegate(connection, NO_FAULT)
            assert await asyncio.wait_for(connection.read_response(delegate), 10) is False


async def test_read_response_ends_if_finish_raises_after_async_head(
    certificates: Certificates, expect_log: ExpectLog
) -> None:
    class Slow(HTTPMessageDelegate):
        async def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:  # type: ignore[override]
            await run_loop_iterations(2)

        def finish(self) -> None:
            raise ValueError("finish")

    async with stream_pair("plain", certificates) as (server, client):
        connection = HTTP1Connection(client, True)
        await server.write(RESPONSES["empty"])
        with expect_log("tornado.application", "Uncaught exception in a message delegate"):
            assert await asyncio.wait_for(connection.read_response(Slow()), 10) is False


async def test_second_head_after_101_fails() -> None:
    written: list[Any] = []

    class Handler(web.RequestHandler):
        def get(self) -> None:
            connection: Any = self.request.connection
            connection.write_headers(ResponseStartLine("HTTP/1.1", 101, "Switching"), HTTPHeaders())
            connection.finish()
            written.append(connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders()))
            self._finished = True

    async with serving(web.Application([("/", Handler)])) as server:
        answer = await server.exchange(REQUESTS["get"])
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert isinstance(written[0].exception(), StreamClosedError)


async def test_read_from_stream_after_last_byte_of_body_does_not_prevent_response() -> None:
    @web.stream_request_body
    class Handler(web.RequestHandler):
        def data_received(self, chunk: bytes) -> None:
            connection: Any = self.request.connection
            self.read = connection.stream.read_bytes(1, partial=True)

        def post(self) -> None:
            self.read.cancel()
            self.finish("post ran")

    async with serving(web.Application([("/", Handler)])) as server:
        answer = await server.exchange(REQUESTS["body"])
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"post ran")


@web.stream_request_body
class ReadsBody(web.RequestHandler):
    """Reads the body from the stream, beginning in a `prepare` that does not wait."""

    def prepare(self) -> None:
        connection: Any = self.request.connection
        read = connection.stream.read_bytes(3)
        read.add_done_callback(lambda future: future.exception() or self.finish(b"got " + future.result()))

    def data_received(self, chunk: bytes) -> None:
        raise AssertionError("the handler reads from the stream")


async def test_body_read_in_prepare_is_preceded_by_100_continue() -> None:
    async with serving(web.Application([("/", ReadsBody)])) as server:
        peer = await server.connect()
        peer.send(REQUESTS["expect"])
        assert (await peer.response()).code == 100
        peer.send(b"abc")
        assert (await peer.response()).body == b"got abc"


@pytest.mark.usefixtures("legal")  # the handler finishes when its connection is lost
async def test_body_read_in_prepare_is_limited() -> None:
    async with serving(web.Application([("/", ReadsBody)]), max_body_size=2) as server:
        peer = await server.connect()
        peer.send(REQUESTS["expect"])
        assert (await peer.response()).code == 413


async def test_exchange_of_callable_is_freed_without_collector() -> None:
    freed: list[Any] = []

    def respond(request: Any) -> None:
        request.connection.write_headers(
            ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "0"})
        )
        request.connection.finish()

    async with serving(respond) as server:
        await server.fetch("/")
        await run_loop_iterations()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await server.fetch("/")
            await run_loop_iterations()
            gc.collect()
            freed = [each for each in gc.garbage if isinstance(each, HTTP1Connection)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert not freed
