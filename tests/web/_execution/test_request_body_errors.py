"""Errors in request bodies: the handler sends its own error page, and the access log has the request."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.support.server import ExpectLog, handler_of, raised, serving
from tornado import gen, web


def own_page(self: Any, status_code: int, **kwargs: Any) -> None:
    self.finish(f"own page: {status_code} {kwargs['exc_info'][1]}")


def application(handler: Any, log: list[Any] | None = None, **settings: Any) -> web.Application:
    def note(handler: Any) -> None:
        if log is not None:
            log.append((handler.get_status(), handler.request.method, handler.request.uri))

    return web.Application([("/.*", handler)], log_function=note, **settings)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
async def test_handler_class_responds_to_body_over_its_limit(
    chunked: bool, streams: bool, expect_log: ExpectLog
) -> None:
    log: list[Any] = []
    finished: list[Any] = []
    handler = handler_of(
        max_body_size=5,
        write_error=own_page,
        post=None,
        on_finish=lambda self: finished.append(self),
        data_received=lambda self, chunk: None,
        _stream_request_body=streams,
    )
    async with serving(application(handler, log, security_headers=True)) as server:
        peer = await server.connect()
        with expect_log(
            "tornado.general", r"413 POST /x .*: .* is larger than Handler.max_body_size \(5 bytes\)"
        ):
            if chunked:
                peer.get("/x", "Transfer-Encoding: chunked", method="POST")
                peer.send(b"c\r\n" + bytes(12) + b"\r\n0\r\n\r\n")
            else:
                peer.get("/x", method="POST", body=bytes(12))
            response = await peer.response()
        assert response.code == 413
        assert response.body.startswith(b"own page: 413 HTTP 413")
        assert response.get("x-content-type-options") == "nosniff"
        assert response.get("connection") == "close"
        assert await peer.rest() == b""
    assert log == [(413, "POST", "/x")]
    assert len(finished) == 1


async def test_rest_of_rejected_body_is_discarded(expect_log: ExpectLog) -> None:
    async def slow(self: Any) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    handler = handler_of(
        max_body_size=5, prepare=slow, data_received=lambda self, chunk: None, _stream_request_body=True
    )
    async with serving(application(handler)) as server:
        peer = await server.connect()
        with expect_log("tornado.general", "413 POST"):
            peer.get("/", "Content-Length: 1000000", method="POST")
            for _ in range(10):
                peer.send(bytes(100_000))
            assert (await peer.response()).code == 413
        assert await peer.rest() == b""


async def test_exception_in_initialize_of_rejecting_handler(expect_log: ExpectLog) -> None:
    def fail(self: Any) -> None:
        raise ZeroDivisionError

    async with serving(application(handler_of(max_body_size=5, initialize=fail))) as server:
        with expect_log("tornado.application", "Uncaught exception POST /"):
            assert (await server.fetch("/", method="POST", body=bytes(12))).code == 500


async def test_started_response_is_aborted_without_second_response() -> None:
    def begin(self: Any) -> None:
        self.write("begun")
        self.flush()

    handler = handler_of(max_body_size=5, prepare=begin, _stream_request_body=True)
    async with serving(application(handler)) as server:
        peer = await server.connect()
        peer.get("/", method="POST", body=bytes(12))
        answer = await peer.rest()
    assert answer.count(b"HTTP/1.1") == 1
    assert not answer.endswith(b"0\r\n\r\n")


def plain(error: BaseException) -> Any:
    def data_received(self: Any, chunk: bytes) -> None:
        raise error

    return data_received


def waiting(error: BaseException) -> Any:
    async def data_received(self: Any, chunk: bytes) -> None:
        await asyncio.sleep(0)
        raise error

    return data_received


def decorated(error: BaseException) -> Any:
    @gen.coroutine
    def data_received(self: Any, chunk: bytes) -> Any:
        yield gen.moment
        raise error

    return data_received


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("kind", [plain, waiting, decorated])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ZeroDivisionError("a bug"), 500),
        (web.HTTPError(400, "bad"), 400),
        (asyncio.CancelledError(), 500),
        (StopIteration(), 500),
    ],
)
async def test_exception_in_data_received_leads_to_error_response(
    error: Any, code: int, kind: Any, guarded: bool, expect_log: ExpectLog
) -> None:
    log: list[Any] = []
    finished: list[Any] = []
    handler = handler_of(
        data_received=kind(error),
        post=lambda self: self.write("never"),
        write_error=own_page,
        on_finish=lambda self: finished.append(self),
        _stream_request_body=True,
        cancel_on_disconnect=guarded,
    )
    async with serving(application(handler, log)) as server:
        peer = await server.connect()
        with expect_log("tornado", "Uncaught exception POST /x|400 POST /x"):
            response = await peer.fetch("/x", method="POST", body=b"body")
        assert (response.code, response.body[:9]) == (code, b"own page:")
    assert log == [(code, "POST", "/x")]
    assert len(finished) == 1


async def test_rest_of_body_is_discarded_after_an_error(expect_log: ExpectLog) -> None:
    calls: list[int] = []

    def fail(self: Any, chunk: bytes) -> None:
        calls.append(len(chunk))
        raise web.HTTPError(400, "bad")

    handler = handler_of(data_received=fail, _stream_request_body=True)
    async with serving(application(handler)) as server:
        peer = await server.connect()
        with expect_log("tornado.general", "400 POST / .*: bad"):
            peer.get("/", "Content-Length: 3000000", method="POST")
            peer.send(b"x")
            assert (await peer.response()).code == 400
            for _ in range(29):
                peer.send(bytes(100_000))
        await peer.writer.drain()
    assert len(calls) == 1


async def test_exception_after_the_response_is_logged(expect_log: ExpectLog) -> None:
    def fail(self: Any, chunk: bytes) -> None:
        self.finish("done")
        raise ZeroDivisionError

    handler = handler_of(data_received=fail, _stream_request_body=True)
    async with serving(application(handler)) as server:
        with expect_log("tornado.application", "Uncaught exception POST /") as expected:
            assert (await server.fetch("/", method="POST", body=b"body")).body == b"done"
    assert isinstance(raised(expected), ZeroDivisionError)


async def test_exception_after_the_head_aborts_the_response(expect_log: ExpectLog) -> None:
    def fail(self: Any, chunk: bytes) -> None:
        self.write("begun")
        self.flush()
        raise ZeroDivisionError

    handler = handler_of(data_received=fail, _stream_request_body=True)
    async with serving(application(handler), access_log=logging.CRITICAL) as server:
        peer = await server.connect()
        with expect_log("tornado", "Uncaught exception POST /|Cannot send error response"):
            peer.get("/", method="POST", body=b"body")
            answer = await peer.rest()
    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n")
